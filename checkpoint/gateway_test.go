package checkpoint_test

import (
	"crypto/md5"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket/s3"
)

// gateway answers like S3, except for one header that it ignores.
type gateway struct {
	ignores string

	mu      sync.Mutex
	objects map[string][]byte
}

// etag is the ETag that S3 gives to a body.
func etag(body []byte) string {
	sum := md5.Sum(body)
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	r.Header.Del(g.ignores)
	body, there := g.objects[r.URL.Path]
	refuse := func(status int, code string) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "<Error><Code>"+code+"</Code></Error>")
	}
	match := r.Header.Get("If-Match")
	switch {
	case r.Method == http.MethodGet && there:
		w.Header().Set("ETag", etag(body))
		w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
		_, _ = w.Write(body)
	case r.Method == http.MethodGet, match != "" && !there:
		refuse(http.StatusNotFound, "NoSuchKey")
	case match != "" && match != etag(body), r.Header.Get("If-None-Match") == "*" && there:
		refuse(http.StatusPreconditionFailed, "PreconditionFailed")
	default:
		body, _ = io.ReadAll(r.Body)
		g.objects[r.URL.Path] = body
		w.Header().Set("ETag", etag(body))
	}
}

// If a gateway ignored either header, two runners could commit one serial, both with success.
func TestGatewayThatIgnoresConditions(t *testing.T) {
	t.Parallel()
	for _, ignores := range []string{"", "If-None-Match", "If-Match"} {
		server := httptest.NewServer(&gateway{ignores: ignores, objects: map[string][]byte{}})
		t.Cleanup(server.Close)
		store, err := s3.Open(t.Context(), s3.Options{
			Bucket: "journal", Endpoint: server.URL, Region: "r", PathStyle: true, AccessKey: "a", SecretKey: "s",
		})
		if err != nil {
			t.Fatal(err)
		}
		lease, err := checkpoint.Open(store, stream).Acquire(t.Context())
		if ignores != "" {
			wantError(t, err, checkpoint.ErrUnconditional, ignores)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := lease.Release(t.Context()); err != nil {
			t.Error(err)
		}
	}
}
