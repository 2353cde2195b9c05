package main

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const latency = 50 * time.Millisecond

// The time is virtual, so that a busy machine changes nothing. A round trip takes exactly the latency. Any number of chunks that
// are on their way together takes the same time.
func TestCarry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, near := net.Pipe()
		far, server := net.Pipe()
		var both sync.WaitGroup
		both.Go(func() { carry(far, near, latency/2) })
		both.Go(func() { carry(near, far, latency/2) })

		const chunks = 1000
		both.Go(func() {
			_, _ = io.CopyN(io.Discard, server, chunks)
			_, _ = io.WriteString(server, "answer")
		})
		began := time.Now()
		for range chunks {
			if _, err := io.WriteString(client, "x"); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("the sender waits for %s", took)
		}
		if _, err := io.ReadFull(client, make([]byte, len("answer"))); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != latency {
			t.Errorf("a round trip of %d chunks takes %s, want %s", chunks, took, latency)
		}
		began = time.Now()
		_ = server.Close()
		if _, err := client.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("the end of the other side is %v", err)
		}
		if took := time.Since(began); took != latency/2 {
			t.Errorf("the end takes %s to arrive, want %s", took, latency/2)
		}
		both.Wait()
	})
}

// On a busy machine a test can check only the least time of real connections.
func TestProxy(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("x", 1<<20)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body)
	}))
	t.Cleanup(server.Close)
	p, err := delayed(server.Listener.Addr().String(), latency)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	res, err := http.Post("http://"+p.address, "text/plain", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil || string(got) != body {
		t.Errorf("%d bytes of %d came through, %v", len(got), len(body), err)
	}
	if took := time.Since(began); took < latency {
		t.Errorf("a round trip took %s, and the latency is %s", took, latency)
	}
	if err := p.close(); err != nil { // while the connection is kept alive
		t.Error(err)
	}
	if _, err := net.Dial("tcp", p.address); err == nil {
		t.Error("the proxy goes on")
	}
}
