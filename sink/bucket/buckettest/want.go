package buckettest

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/sink/bucket"
)

func mustPut(t *testing.T, b bucket.Bucket, key string, body []byte, version string) string {
	t.Helper()
	version, err := b.Put(t.Context(), key, body, version)
	if err != nil {
		t.Fatalf("Put %s: %v", key, err)
	}
	if version == "" {
		t.Fatalf("Put %s gave no version", key)
	}
	return version
}

func wantBody(t *testing.T, b bucket.Bucket, key string, body []byte, version string) {
	t.Helper()
	got, gotVersion, age, err := b.Get(t.Context(), key)
	if err != nil {
		t.Fatalf("Get %s: %v", key, err)
	}
	if !bytes.Equal(got, body) {
		t.Errorf("Get %s: %d bytes with SHA-256 %x; want %d with %x",
			key, len(got), sha256.Sum256(got), len(body), sha256.Sum256(body))
	}
	if gotVersion != version {
		t.Errorf("Get %s: version %q; want %q, which Put returned", key, gotVersion, version)
	}
	if age < 0 || age > time.Minute {
		t.Errorf("Get %s: written %s ago; want just now", key, age)
	}
}

func wantKeys(t *testing.T, b bucket.Bucket, prefix, after string, want ...string) {
	t.Helper()
	got, err := b.List(t.Context(), prefix, after)
	if err != nil {
		t.Errorf("List %q after %q: %v", prefix, after, err)
	} else if !slices.Equal(got, want) {
		t.Errorf("List %q after %q:\n got %q\nwant %q", prefix, after, got, want)
	}
}

// random returns bytes that no other call returns.
func random(size int) []byte {
	body := make([]byte, size)
	source := rand.NewChaCha8(sha256.Sum256(fmt.Append(nil, rand.Uint64(), rand.Uint64())))
	_, _ = source.Read(body)
	return body
}
