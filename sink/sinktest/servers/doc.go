// Package servers starts real servers for tests: an S3 gateway (versitygw), a log database (VictoriaLogs) and a proxy
// that breaks connections (toxiproxy).
//
// A server is a child process on a random loopback port with its data in the test's own folder. It is ready when the
// call returns. The package kills it when the test ends, and prints its log when the test fails.
//
// When a test first asks for a program, the package builds it from source, at the version that the .mod file here pins, and
// keeps it under the user's cache folder. Parallel test binaries wait for one build. That takes a minute or two once.
// Without a Go toolchain or a module proxy the test is skipped. On CI (CI=true) it fails instead, since a skip would look
// green. With -short every test that needs a server is skipped.
//
// The .mod files are modules of their own, so that the servers' libraries stay out of ours. To move to a new version:
//
//	go get -modfile=sink/sinktest/servers/versitygw.mod -tool github.com/versity/versitygw/cmd/versitygw@v1.8.0
package servers
