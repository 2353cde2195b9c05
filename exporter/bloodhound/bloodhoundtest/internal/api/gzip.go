package api

import (
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
)

var gzipWriters = sync.Pool{New: func() any {
	zw, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // fails only for an unknown level
	return zw
}}

// gzipped compresses an answer from its first byte on, whatever its size.
type gzipped struct {
	http.ResponseWriter
	zw *gzip.Writer
}

func (g gzipped) Write(b []byte) (int, error) { return g.zw.Write(b) }

// AcceptsGzip reads Accept-Encoding as the servers do: they ignore quality values, so gzip;q=0 accepts too.
func AcceptsGzip(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept-Encoding"), "gzip")
}

// Compress wraps an answer if the client takes gzip. The answer is complete only after done.
func Compress(w http.ResponseWriter, r *http.Request) (wrapped http.ResponseWriter, done func()) {
	if !AcceptsGzip(r) {
		return w, func() {}
	}
	w.Header().Set("Content-Encoding", "gzip")
	zw, _ := gzipWriters.Get().(*gzip.Writer)
	zw.Reset(w)
	return gzipped{ResponseWriter: w, zw: zw}, func() {
		_ = zw.Close() // there is no caller to tell
		zw.Reset(io.Discard)
		gzipWriters.Put(zw)
	}
}
