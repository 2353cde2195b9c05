package s3_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
)

// proxy stands between a client and a server, records the client's requests, and breaks those that a test chooses.
type proxy struct {
	*httptest.Server
	mu   sync.Mutex
	seen []*http.Request
}

// fault is the effect of the proxy on one request.
type fault int

const (
	none      fault = iota
	cutBefore       // the connection breaks; the server has not seen the request
	cutAfter        // the server has done the work, and its answer is lost
	failAfter       // the server has done the work, and the proxy answers 500
	conflict        // 409 ConditionalRequestConflict, without the work
	busy            // 503 SlowDown, without the work
)

var errCut = errors.New("cut")

// newProxy starts a proxy. The proxy asks decide about each request.
func newProxy(t *testing.T, target string, decide func(*http.Request) fault) *proxy {
	t.Helper()
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	forward := func(after fault) *httputil.ReverseProxy {
		return &httputil.ReverseProxy{
			Rewrite: func(r *httputil.ProxyRequest) {
				r.SetURL(to)
				r.Out.Host = r.In.Host // the signature covers the host
			},
			ModifyResponse: func(*http.Response) error {
				if after != none {
					return errCut
				}
				return nil
			},
			ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
				if after == failAfter && errors.Is(err, errCut) {
					w.WriteHeader(http.StatusInternalServerError)
					return
				}
				panic(http.ErrAbortHandler)
			},
		}
	}
	p := &proxy{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.seen = append(p.seen, r.Clone(t.Context()))
		what := decide(r)
		p.mu.Unlock()
		switch what {
		case cutBefore:
			panic(http.ErrAbortHandler)
		case conflict:
			answer(w, http.StatusConflict, "ConditionalRequestConflict")
		case busy:
			answer(w, http.StatusServiceUnavailable, "SlowDown")
		default:
			forward(what).ServeHTTP(w, r)
		}
	}))
	t.Cleanup(p.Close)
	return p
}

// requests returns the requests that were sent with a method, and clears the list.
func (p *proxy) requests(method string) []*http.Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	var found []*http.Request
	for _, r := range p.seen {
		if r.Method == method {
			found = append(found, r)
		}
	}
	p.seen = nil
	return found
}

// answer writes an error in the form of S3.
func answer(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(`<?xml version="1.0" encoding="UTF-8"?><Error><Code>` + code + `</Code>` +
		`<Message>as the test wants it</Message></Error>`))
}
