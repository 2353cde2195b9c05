package servers

import (
	"net"
	"testing"
)

// Search is an OpenSearch with one node and without users.
type Search struct {
	URL string // http://127.0.0.1:port

	addr string
	args []string
	java string
	kill func()
}

// OpenSearch starts a server with a Java that it can run on. dir has the jars of the server: the script .ci/receivers makes it. The
// server refuses requests larger than largest, such as 100mb.
func OpenSearch(tb testing.TB, java, dir, largest string) *Search {
	tb.Helper()
	addr, err := FreeAddr(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		tb.Fatal(err)
	}
	s := &Search{
		URL: "http://" + addr, addr: addr, java: java,
		args: []string{"-Xmx512m", "-cp", dir + "/*:" + dir, "Server", tb.TempDir(), port, largest},
	}
	s.Restart(tb)
	return s
}

// Kill ends the server at once, without a clean-up.
func (s *Search) Kill() { s.kill() }

// Restart starts the server again at the same address, with the same data.
func (s *Search) Restart(tb testing.TB) {
	tb.Helper()
	var err error
	if s.kill, err = launch(tb, s.addr, "/_cluster/health?wait_for_status=yellow", s.java, s.args...); err != nil {
		tb.Fatalf("start OpenSearch: %v", err)
	}
}
