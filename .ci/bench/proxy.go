package main

import (
	"errors"
	"net"
	"sync"
	"time"
)

const (
	chunkSize = 64 << 10
	// inFlight is the largest number of chunks in one direction of a connection. If it is reached, the sender waits for room, as
	// it does for a real network's window. This number of chunks is far more than half a second of any transfer here.
	inFlight = 4096
)

// A proxy stands in front of a server and delays all data. It does not limit the throughput: for any number of connections and
// chunks, each chunk is late by the same time. It opens a connection at once.
type proxy struct {
	address string // host:port, in place of the server's

	listener net.Listener
	done     sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]bool // the open connections; nil after the proxy is closed
}

// delayed puts a proxy in front of a server: half the latency in each direction.
func delayed(server string, latency time.Duration) (*proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{address: listener.Addr().String(), listener: listener, conns: map[net.Conn]bool{}}
	p.done.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			p.done.Go(func() { p.pass(client, server, latency/2) })
		}
	})
	return p, nil
}

// pass carries one connection until both directions have ended.
func (p *proxy) pass(client net.Conn, server string, each time.Duration) {
	defer p.forget(client)
	if !p.keep(client) {
		return
	}
	upstream, err := net.Dial("tcp", server)
	if err != nil {
		return // the client sees that the connection is closed
	}
	defer p.forget(upstream)
	if !p.keep(upstream) {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { carry(upstream, client, each) })
	both.Go(func() { carry(client, upstream, each) })
	both.Wait()
}

// keep notes a connection, unless the proxy is closed by now.
func (p *proxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conns == nil {
		return false
	}
	p.conns[c] = true
	return true
}

func (p *proxy) forget(c net.Conn) {
	_ = c.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

// close ends the proxy and every connection through it.
func (p *proxy) close() error {
	err := p.listener.Close()
	p.mu.Lock()
	for c := range p.conns {
		if closed := c.Close(); !errors.Is(closed, net.ErrClosed) { // it may just have ended by itself
			err = errors.Join(err, closed)
		}
	}
	p.conns = nil
	p.mu.Unlock()
	p.done.Wait()
	return err
}

// A chunk has the bytes of one read, and the time at which they are due at the other end.
type chunk struct {
	body []byte
	due  time.Time
}

// carry copies one direction. Each chunk waits for its own time. In the meantime, carry reads later chunks, and these wait beside
// it. The end of the direction is late by the same time.
func carry(to, from net.Conn, late time.Duration) {
	line := make(chan chunk, inFlight)
	spares := sync.Pool{New: func() any { return make([]byte, chunkSize) }}
	go func() {
		defer close(line)
		for {
			buffer := spares.Get().([]byte)
			n, err := from.Read(buffer)
			line <- chunk{buffer[:n], time.Now().Add(late)}
			if err != nil {
				return
			}
		}
	}()
	var broken error
	for c := range line {
		if broken != nil {
			continue // the reader ends by itself, and must not wait for room
		}
		time.Sleep(time.Until(c.due))
		if len(c.body) > 0 { // without a body, it is the end
			_, broken = to.Write(c.body)
		}
		if broken != nil {
			_ = from.Close()
		}
		spares.Put(c.body[:chunkSize]) //nolint:staticcheck // a slice header is small beside the chunk
	}
	if half, ok := to.(interface{ CloseWrite() error }); ok && broken == nil {
		_ = half.CloseWrite()
		return
	}
	_ = to.Close()
}
