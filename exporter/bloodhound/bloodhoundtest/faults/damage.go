package faults

import (
	"bytes"
	"encoding/json"
	"net/http"
	"sync"

	"github.com/klauspost/compress/gzip"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/internal/api"
)

// buffered records an answer, so that a fault can send another one.
type buffered struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (b *buffered) WriteHeader(status int) { b.status = status }

func (b *buffered) Write(p []byte) (int, error) { return b.body.Write(p) }

// damage is a fault that changes the answer. send gets the body as it was before compression.
func damage(send func(w http.ResponseWriter, r *http.Request, status int, body []byte)) bloodhoundtest.Fault {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			plain := r.Clone(r.Context())
			plain.Header.Del("Accept-Encoding")
			whole := &buffered{ResponseWriter: w, status: http.StatusOK}
			next.ServeHTTP(whole, plain)
			send(w, r, whole.status, whole.body.Bytes())
		})
	}
}

// send answers with a body, compressed if the client takes that.
func send(w http.ResponseWriter, r *http.Request, status int, body []byte) {
	w, done := api.Compress(w, r)
	w.WriteHeader(status)
	_, _ = w.Write(body)
	done()
}

// TruncatedGzip sends the first half of a gzip stream as if it were the whole: for HTTP the answer is complete.
func TruncatedGzip() bloodhoundtest.Fault {
	return damage(func(w http.ResponseWriter, _ *http.Request, status int, body []byte) {
		half := compressed(body)
		half = half[:len(half)/2]
		w.Header().Set("Content-Encoding", "gzip")
		setLength(w, len(half))
		w.WriteHeader(status)
		_, _ = w.Write(half)
	})
}

func compressed(body []byte) []byte {
	var b bytes.Buffer
	zw := gzip.NewWriter(&b)
	_, _ = zw.Write(body) // a buffer never fails
	_ = zw.Close()
	return b.Bytes()
}

// Cut breaks the connection halfway through the body.
func Cut() bloodhoundtest.Fault {
	return damage(func(w http.ResponseWriter, r *http.Request, status int, body []byte) {
		if api.AcceptsGzip(r) {
			w.Header().Set("Content-Encoding", "gzip")
			body = compressed(body)
		}
		setLength(w, len(body))
		w.WriteHeader(status)
		_, _ = w.Write(body[:len(body)/2])
		_ = http.NewResponseController(w).Flush() // without it nothing may have been sent at all
		panic(http.ErrAbortHandler)
	})
}

// TruncatedJSON sends the first half of the body in a valid answer.
func TruncatedJSON() bloodhoundtest.Fault {
	return damage(func(w http.ResponseWriter, r *http.Request, status int, body []byte) {
		send(w, r, status, body[:len(body)/2])
	})
}

// Malformed replaces the record in the middle of the page with a text. Answers without records stay as they are.
func Malformed(record string) bloodhoundtest.Fault {
	return damage(func(w http.ResponseWriter, r *http.Request, status int, body []byte) {
		var page struct {
			Data struct {
				Logs []json.RawMessage `json:"logs"`
			} `json:"data"`
		}
		if err := json.Unmarshal(body, &page); err == nil && len(page.Data.Logs) > 0 {
			middle := page.Data.Logs[len(page.Data.Logs)/2]
			body = bytes.Replace(body, middle, []byte(record), 1)
		}
		send(w, r, status, body)
	})
}

// Repeat answers every request with the first answer that it saw, like a cache in the wrong place.
func Repeat() bloodhoundtest.Fault {
	var mu sync.Mutex
	var first *buffered
	return func(next http.Handler) http.Handler {
		return damage(func(w http.ResponseWriter, r *http.Request, status int, body []byte) {
			mu.Lock()
			if first == nil {
				first = &buffered{status: status}
				first.body.Write(body)
			}
			status, body = first.status, first.body.Bytes()
			mu.Unlock()
			send(w, r, status, body)
		})(next)
	}
}
