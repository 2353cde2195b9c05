package buckettest

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
)

// Put writes an object and returns its new version. If that fails, the test fails, but goes on.
func Put(t *testing.T, b bucket.Bucket, key string, body []byte, version string) string {
	t.Helper()
	version, err := b.Put(t.Context(), key, body, version)
	if err != nil {
		t.Errorf("Put %s: %v", key, err)
	} else if version == "" {
		t.Errorf("Put %s gave no version", key)
	}
	return version
}

// WantError checks that a call failed with want in its error, or with want "" that it succeeded.
func WantError(t *testing.T, call string, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("%s: %v; want success", call, err)
	case want != "" && err == nil:
		t.Errorf("%s succeeded; want an error with %q", call, want)
	case want != "" && !strings.Contains(err.Error(), want):
		t.Errorf("%s: %v\nwant an error with %q", call, err, want)
	}
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
