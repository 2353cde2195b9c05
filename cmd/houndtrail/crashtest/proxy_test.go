package crashtest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/sink/sinktest/servers"
)

// A proxy stands in front of a server and can break the connections to it.
type proxy struct {
	t       *testing.T
	name    string
	api     string // of the proxy in toxiproxy
	address string // instead of the server's: http://127.0.0.1:port
	// connections counts the connections that reached the server. Clients keep them alive, so each new one replaces a lost one.
	connections atomic.Int64
}

// in puts a proxy in front of a server.
func in(t *testing.T, all servers.Proxies, name, server string) *proxy {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t, name: name, api: all.URL + "/proxies/" + name}
	answer := p.ask(http.MethodPost, all.URL+"/proxies",
		map[string]any{"name": name, "listen": "127.0.0.1:0", "upstream": p.relay(u.Host), "enabled": true})
	var made struct {
		Listen string `json:"listen"`
	}
	if err := json.Unmarshal(answer, &made); err != nil || made.Listen == "" {
		t.Fatalf("toxiproxy says %s: %v", answer, err)
	}
	p.address = "http://" + made.Listen
	return p
}

// relay passes connections on to a server and counts them. It is the address to connect to.
func (p *proxy) relay(server string) string {
	p.t.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(p.t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return // the test is over
			}
			p.connections.Add(1)
			go pass(p.t.Context(), client, server)
		}
	}()
	return listener.Addr().String()
}

// pass copies both ways until one side ends.
func pass(ctx context.Context, client net.Conn, server string) {
	defer func() { _ = client.Close() }()
	var dialer net.Dialer
	upstream, err := dialer.DialContext(ctx, "tcp", server)
	if err != nil {
		return // the client sees a closed connection, as intended
	}
	defer func() { _ = upstream.Close() }()
	ended := make(chan struct{}, 2)
	for _, ends := range [][2]net.Conn{{client, upstream}, {upstream, client}} {
		go func() {
			_, _ = io.Copy(ends[0], ends[1])
			ended <- struct{}{}
		}()
	}
	<-ended
}

// A fault is a failure of the connections through a proxy.
type fault struct {
	kind  string
	begin func(p *proxy)
	end   func(p *proxy)
}

// toxic is a fault of toxiproxy's own: new and existing connections have it, in one direction.
func toxic(kind, direction string, attributes map[string]int) fault {
	return fault{
		kind: kind,
		begin: func(p *proxy) {
			p.ask(http.MethodPost, p.api+"/toxics",
				map[string]any{"name": "toxic", "type": kind, "stream": direction, "attributes": attributes})
		},
		end: func(p *proxy) { p.ask(http.MethodDelete, p.api+"/toxics/toxic", nil) },
	}
}

// refused closes every connection and refuses new ones.
func refused(kind string) fault {
	enable := func(on bool) func(*proxy) {
		return func(p *proxy) { p.ask(http.MethodPost, p.api, map[string]any{"enabled": on}) }
	}
	return fault{kind: kind, begin: enable(false), end: enable(true)}
}

// anyFault is a random fault.
func anyFault(r *rand.Rand) fault {
	direction := []string{"upstream", "downstream"}[r.IntN(2)]
	switch r.IntN(7) {
	case 0:
		return toxic("latency", direction, map[string]int{"latency": 20 + r.IntN(400), "jitter": 20}) // ms
	case 1:
		return toxic("bandwidth", direction, map[string]int{"rate": 1 + r.IntN(20)}) // kB/s
	case 2:
		return toxic("slow_close", direction, map[string]int{"delay": 50 + r.IntN(500)}) // ms
	case 3:
		return toxic("timeout", direction, map[string]int{"timeout": 1 + r.IntN(300)}) // ms of silence, then closed
	case 4:
		return toxic("reset_peer", direction, map[string]int{"timeout": r.IntN(50)}) // ms
	case 5:
		return toxic("limit_data", direction, map[string]int{"bytes": 1 + r.IntN(20_000)}) // then closed
	default:
		return refused("refused")
	}
}

// toxiproxyPatience bounds a call of its API: it answers at once.
const toxiproxyPatience = 20 * time.Second

// ask calls toxiproxy's API and returns the answer. A failure is an error of the test. It may be called from any goroutine.
func (p *proxy) ask(method, address string, body any) []byte {
	text, err := json.Marshal(body)
	if err != nil {
		p.t.Error(err)
		return nil
	}
	request, err := http.NewRequestWithContext(p.t.Context(), method, address, bytes.NewReader(text))
	if err != nil {
		p.t.Error(err)
		return nil
	}
	client := http.Client{Timeout: toxiproxyPatience}
	answer, err := client.Do(request)
	if err != nil {
		p.t.Error(err)
		return nil
	}
	defer answer.Body.Close()
	got, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode/100 != 2 {
		p.t.Errorf("toxiproxy: %s %s: %s %v %s", method, address, answer.Status, err, got)
	}
	return got
}
