package servers

import (
	"bufio"
	"net"
	"strings"
	"sync"
	"testing"
)

// A Stall is a server that begins an answer and never ends it.
type Stall struct {
	URL string

	mu    sync.Mutex
	asked []string
}

// Stalling starts a server that reads the headers of a request, and writes the answer for the method without a change. Then it does
// nothing more until the test ends: it does not read, and does not close the connection.
func Stalling(tb testing.TB, answers map[string]string) *Stall {
	tb.Helper()
	listener, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	s := &Stall{URL: "http://" + listener.Addr().String()}
	var all sync.WaitGroup
	over := make(chan struct{})
	all.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer func() { _ = conn.Close() }()
				if tcp, ok := conn.(*net.TCPConn); ok {
					_ = tcp.SetReadBuffer(4 << 10) // a body soon fills it
				}
				if s.begin(conn, answers) {
					<-over
				}
			})
		}
	})
	tb.Cleanup(func() {
		close(over)
		_ = listener.Close()
		all.Wait()
	})
	return s
}

// begin reads the headers of one request and writes the answer. It returns false for a connection without a request.
func (s *Stall) begin(conn net.Conn, answers map[string]string) bool {
	r := bufio.NewReader(conn)
	var method string
	for first := true; ; first = false {
		line, err := r.ReadString('\n')
		if err != nil {
			return false
		}
		if line = strings.TrimSpace(line); line == "" {
			_, err := conn.Write([]byte(answers[method]))
			return err == nil
		}
		if first {
			method, _, _ = strings.Cut(line, " ")
			s.mu.Lock()
			s.asked = append(s.asked, line)
			s.mu.Unlock()
		}
	}
}

// Asked returns the first line of each request so far.
func (s *Stall) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.asked...)
}
