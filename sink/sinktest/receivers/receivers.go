package receivers

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
)

// Direct gives requests to a handler without a network: a test under a fake clock must not wait for a network. It reads the whole
// body before it answers, and its answer comes at once.
func Direct(h http.Handler) http.RoundTripper { return direct{h} }

type direct struct{ handler http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	in := r.Clone(r.Context())
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err = errors.Join(err, r.Body.Close()); err != nil {
			return nil, err
		}
		in.Body = io.NopCloser(bytes.NewReader(body))
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	answer := httptest.NewRecorder()
	d.handler.ServeHTTP(answer, in)
	return answer.Result(), nil
}

// errEncoding is the error for a Content-Encoding that a receiver does not know.
var errEncoding = errors.New("unknown content encoding")

// body returns the body of a request before compression, and the number of bytes that the client sent.
func body(r *http.Request) (plain []byte, sent int, err error) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, 0, err
	}
	switch r.Header.Get("Content-Encoding") {
	case "", "identity":
		return raw, len(raw), nil
	case "gzip":
		z, err := gzip.NewReader(bytes.NewReader(raw))
		if err != nil {
			return nil, len(raw), err
		}
		plain, err = io.ReadAll(z)
		return plain, len(raw), err
	default:
		return nil, len(raw), errEncoding
	}
}

func answerJSON(w http.ResponseWriter, status int, content any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(content) // it fails only if the client is gone
}
