// Package servers starts real servers for tests: an S3 gateway (versitygw), a log database (VictoriaLogs) and a proxy
// that breaks connections (toxiproxy).
//
// A server is a child process on a random loopback port with its data in the test's own folder. It is ready when the
// call returns, it is killed when the test ends, and its log is printed when the test fails.
//
// The programs are built from source when a test first asks for them, at the versions that the .mod files here pin,
// and kept under the user's cache folder; parallel test binaries wait for one build. That takes a minute or two once.
// Without a Go toolchain or a module proxy the test is skipped, except on CI (CI=true), where it fails: there a skip
// would look green. With -short every test that wants a server is skipped.
//
// The .mod files are modules of their own, so that the servers' libraries stay out of ours. To move to a new version:
//
//	go get -modfile=sink/sinktest/servers/versitygw.mod -tool github.com/versity/versitygw/cmd/versitygw@v1.8.0
package servers
