package webhook_test

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/sinktest"
	"github.com/houndtrail/houndtrail/sink/webhook"
)

const tenant = "acme"

var start = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// records makes n ordinary records, one for each second.
func records(tb testing.TB, n int) []record.Record {
	tb.Helper()
	return sinktest.Generate(tb, 1, n, start, time.Second)
}

func windowOf(rs []record.Record) window.Window {
	return window.Window{Start: start, End: start.Add(time.Duration(len(rs)) * time.Second)}
}

// lines is the NDJSON of records, as package ndjson writes it.
func lines(rs []record.Record) []byte {
	var b []byte
	for i := range rs {
		b = ndjson.AppendLine(b, tenant, &rs[i])
	}
	return b
}

// A post is one request as a receiver sees it.
type post struct {
	at     time.Time
	url    string
	header http.Header
	wire   []byte // as sent
	body   []byte // uncompressed
}

// A receiver is a SIEM without a network, for the tests that run under a fake clock.
type receiver struct {
	mu     sync.Mutex
	posts  []post
	asked  sync.Mutex                              // held while answer runs, so that answer may count
	answer func(number int, p post) (reply, error) // number is 1 for the first post; nil acknowledges all
}

func (rc *receiver) RoundTrip(r *http.Request) (*http.Response, error) {
	p, err := readPost(r)
	if err != nil {
		return nil, err
	}
	rc.mu.Lock()
	rc.posts = append(rc.posts, p)
	number := len(rc.posts)
	rc.mu.Unlock()
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if rc.answer == nil {
		return answer(http.StatusNoContent).response(), nil
	}
	rc.asked.Lock()
	defer rc.asked.Unlock()
	re, err := rc.answer(number, p)
	if err != nil {
		return nil, err
	}
	return re.response(), nil
}

func readPost(r *http.Request) (post, error) {
	defer r.Body.Close()
	p := post{at: time.Now(), url: r.URL.String(), header: r.Header.Clone()}
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return p, err
	}
	if r.ContentLength != int64(len(raw)) {
		return p, fmt.Errorf("Content-Length %d with a body of %d bytes", r.ContentLength, len(raw))
	}
	p.wire, p.body = raw, raw
	var z io.Reader
	switch r.Header.Get("Content-Encoding") {
	case "gzip":
		z, err = gzip.NewReader(bytes.NewReader(raw))
	case "zstd":
		z, err = zstd.NewReader(bytes.NewReader(raw), zstd.WithDecoderMaxWindow(8<<20), zstd.WithDecoderConcurrency(1))
	default:
		return p, nil
	}
	if err != nil {
		return p, err
	}
	p.body, err = io.ReadAll(z)
	return p, err
}

// A reply is a receiver's answer.
type reply struct {
	status int
	header http.Header
	body   string
}

// answer makes a reply from a status, header lines "K: V", and a body. The body is an argument without ": ".
func answer(status int, more ...string) reply {
	r := reply{status: status, header: http.Header{}}
	for _, m := range more {
		if k, v, ok := strings.Cut(m, ": "); ok {
			r.header.Set(k, v)
		} else {
			r.body = m
		}
	}
	return r
}

func (r reply) response() *http.Response {
	return &http.Response{
		StatusCode: r.status, Header: r.header, ProtoMajor: 1, ProtoMinor: 1, Body: io.NopCloser(strings.NewReader(r.body)),
	}
}

// script answers with one entry after the other, and then always with the last one. An entry is a status, a reply or an error.
func script(entries ...any) func(int, post) (reply, error) {
	return func(n int, _ post) (reply, error) {
		switch e := entries[min(n, len(entries))-1].(type) {
		case int:
			return answer(e), nil
		case reply:
			return e, nil
		case error:
			return reply{}, e
		default:
			panic(fmt.Sprintf("script entry %T", e))
		}
	}
}

// headers returns headers that never change.
func headers(h http.Header) func() (http.Header, error) {
	return func() (http.Header, error) { return h, nil }
}

var errBroken = errors.New("connection reset by peer")

// newSink makes a sink, with defaults for the options that the test does not set. Here the default is one batch at a time: most
// tests script the answers in their order.
func newSink(tb testing.TB, o webhook.Options) *webhook.Sink {
	tb.Helper()
	o.URL = cmp.Or(o.URL, "https://siem.example/insert/jsonline")
	o.Tenant = tenant
	o.InFlight = cmp.Or(o.InFlight, 1)
	s, err := webhook.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}
