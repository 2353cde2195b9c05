// Package servers starts real servers for tests: an S3 gateway (versitygw), a log database (VictoriaLogs), a search server
// (OpenSearch), a proxy that breaks connections (toxiproxy), and Prometheus' Pushgateway.
//
// A server is a child process on a random loopback port, with its data in the test's own folder. It is ready when the call returns.
// When the test ends, the package kills it. When the test fails, the package prints the server's log.
//
// When a test first asks for a program, the package builds it from source, at the version that the .mod file here pins. It keeps
// the program under the user's cache folder. Parallel test binaries wait for one build. That takes a minute or two, once. Without a
// Go toolchain or a module proxy, the package skips the test. On CI (CI=true) the test fails instead, since a skip would look
// green. With -short, the package skips every test that needs a server. For OpenSearch, the script
// .ci/receivers makes the folder of the server.
//
// The .mod files are separate modules, so that the servers' libraries stay out of ours. To move to a new version:
//
//	go get -modfile=sink/sinktest/servers/versitygw.mod -tool github.com/versity/versitygw/cmd/versitygw@v1.8.0
package servers
