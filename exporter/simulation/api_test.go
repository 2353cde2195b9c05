package simulation

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/faults"
)

const (
	unlimited = math.MaxFloat64 // requests a second
	maxBody   = 256 << 10
)

// A wire carries the requests of a process's stream to the double, without a network.
type wire struct {
	*process
	stream string
}

// RoundTrip implements http.RoundTripper.
func (a wire) RoundTrip(r *http.Request) (*http.Response, error) {
	return do(r.Context(), a.process, call{api, r.Method, r.URL.RequestURI() + " for the " + a.stream}, func(ctx context.Context) (*http.Response, error) {
		a.world.mu.Lock()
		a.reveal()
		a.world.mu.Unlock()
		served := r.Clone(ctx)
		served.RequestURI, served.RemoteAddr, served.Host = r.URL.RequestURI(), "192.0.2.7:49152", r.URL.Host
		if served.Body == nil {
			served.Body = http.NoBody
		}
		answer := &answer{header: http.Header{}}
		answer.serve(a.answering(r), served)
		a.asked(r, answer.status)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		return answer.response(r)
	})
}

// order returns the server, with the order of its answers in this cycle.
func (a wire) order() http.Handler {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.backwards {
		return faults.OldestFirst()(a.api)
	}
	return a.api
}

// asked notes the parameters with which a process asks for a page.
func (a wire) asked(r *http.Request, status int) {
	a.world.mu.Lock()
	defer a.world.mu.Unlock()
	if q := r.URL.Query(); len(q) > 0 {
		a.note(a.name, "asks %s to %s, skip %s, limit %s: %d", q.Get("after"), q.Get("before"), q.Get("skip"), q.Get("limit"), status)
	}
}

// An answer is the part of the server's answer that arrives.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
	cut    bool
}

func (a *answer) serve(h http.Handler, r *http.Request) {
	defer func() {
		if what := recover(); what != nil {
			if err, ok := what.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
				panic(what)
			}
			a.cut = true
		}
	}()
	h.ServeHTTP(a, r)
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}

func (a *answer) response(r *http.Request) (*http.Response, error) {
	if a.cut && a.status == 0 {
		return nil, io.ErrUnexpectedEOF
	}
	length := int64(a.body.Len())
	if declared, err := strconv.ParseInt(a.header.Get("Content-Length"), 10, 64); err == nil {
		length = declared
	}
	a.WriteHeader(http.StatusOK)
	var body io.Reader = &a.body
	if a.cut || length != int64(a.body.Len()) {
		body = io.MultiReader(body, brokenReader{})
	}
	return &http.Response{
		StatusCode: a.status, Header: a.header, Body: io.NopCloser(body), ContentLength: length, Request: r,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}, nil
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

type faultKey struct{}

// injected lets a request meet the fault that its fate has for it.
func injected(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f, _ := r.Context().Value(faultKey{}).(fault); f.api != nil {
			f.api(next).ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// apiFaults are all faults that an answer can have.
func (w *world) apiFaults() []fault {
	soon := faults.LimitHeaders{Reset: w.serverNow().Add(3 * time.Second)}
	return []fault{
		{name: "500 timed out", api: faults.TimedOut()},
		{name: "500", api: faults.InternalError()},
		{name: "session expired", api: faults.SessionExpired()},
		{name: "forbidden", api: faults.Forbidden()},
		{name: "429", api: faults.RateLimited(faults.LimitHeaders{})},
		{name: "429 with a reset", api: faults.RateLimited(soon)},
		{name: "429, retry after 20 s", api: faults.RateLimited(faults.LimitHeaders{RetryAfter: "20"})},
		{name: "200 and nothing", api: faults.Empty()},
		{name: "200 and a login page", api: faults.NotJSON()},
		{name: "502 of a proxy", api: faults.Proxy(http.StatusBadGateway)},
		{name: "504 of a proxy", api: faults.Proxy(http.StatusGatewayTimeout)},
		{name: "redirect", api: faults.Redirect("https://elsewhere.example/")},
		{name: "half a gzip stream", api: faults.TruncatedGzip()},
		{name: "cut in the body", api: faults.Cut()},
		{name: "half the JSON", api: faults.TruncatedJSON()},
		{name: "a malformed record", api: faults.Malformed(`{"id":"x"}`)},
		{name: "a slow query", api: faults.Slow(7 * time.Second)},
		{name: "a query past its deadline", api: faults.Slow(time.Minute)},
		{name: "no answer", api: faults.Hang()},
		{name: "a huge answer", api: faults.Huge(maxBody + 1000)},
	}
}
