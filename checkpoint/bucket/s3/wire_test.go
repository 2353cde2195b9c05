package s3_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/houndtrail/houndtrail/checkpoint/bucket/buckettest"
	"github.com/houndtrail/houndtrail/sink/sinktest/servers"
)

// TestChecksumAlgorithm: every request with a checksum names the checksum's algorithm.
func TestChecksumAlgorithm(t *testing.T) {
	t.Parallel()
	server := servers.VersityGW(t)
	servers.CreateBucket(t, server, "checksums", false)
	p := newProxy(t, server.Endpoint, func(*http.Request) fault { return none })
	opts := options(server, "checksums")
	opts.Endpoint, opts.PartSize = p.URL, partSize
	b := open(t, opts)
	for key, size := range map[string]int{"small": 1, "large": partSize + 1} {
		buckettest.Put(t, b, key, make([]byte, size), "")
		sent := p.requests(http.MethodPut)
		if len(sent) == 0 {
			t.Errorf("%s: nothing was sent", key)
		}
		for _, r := range sent {
			if algorithm, sum := r.Header.Get("X-Amz-Sdk-Checksum-Algorithm"), r.Header.Get("X-Amz-Checksum-Sha256"); algorithm != "SHA256" || sum == "" {
				t.Errorf("%s: %s is sent with checksum %q of algorithm %q", key, r.URL, sum, algorithm)
			}
		}
	}
}

// TestChangedOnTheWay: if a front end changes Accept-Encoding, as Google's does, the signature stays valid. AWS has no such front
// end. So for AWS, the header stays signed.
func TestChangedOnTheWay(t *testing.T) {
	t.Parallel()
	server := servers.VersityGW(t)
	servers.CreateBucket(t, server, "front", false)
	p := newProxy(t, server.Endpoint, func(r *http.Request) fault {
		if got := r.Header.Get("Accept-Encoding"); got != "identity" {
			t.Errorf("Accept-Encoding is %q; want identity, since the body is compared with its checksum", got)
		}
		if signed := r.Header.Get("Authorization"); strings.Contains(strings.ToLower(signed), "accept-encoding") {
			t.Errorf("%s %s signs Accept-Encoding: %s", r.Method, r.URL, signed)
		}
		r.Header.Set("Accept-Encoding", "gzip, br")
		return none
	})
	opts := options(server, "front")
	opts.Endpoint, opts.PartSize = p.URL, partSize
	b := open(t, opts)
	buckettest.Put(t, b, "large", make([]byte, partSize+1), "")
	version := buckettest.Put(t, b, "a", []byte("one"), "")
	buckettest.Put(t, b, "a", []byte("two"), version)
	if body, _, _, err := b.Get(t.Context(), "a"); err != nil || string(body) != "two" {
		t.Errorf("Get: %q, %v", body, err)
	}
	if keys, err := b.List(t.Context(), "", ""); err != nil || len(keys) != 2 {
		t.Errorf("List: %q, %v", keys, err)
	}
}

// TestLongErrors: an error has only the beginning of a store's long message, on one line.
func TestLongErrors(t *testing.T) {
	t.Parallel()
	_, _, _, err := open(t, newStub(t, func(w http.ResponseWriter) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprintf(w, "<Error><Code>Odd</Code><Message>two\nlines %shunter2</Message></Error>", strings.Repeat("x", 1000))
	})).Get(t.Context(), "a")
	buckettest.WantError(t, "Get", err, "Odd: two lines xxx")
	if err != nil && (len(err.Error()) > 300 || strings.Contains(err.Error(), "hunter2")) {
		t.Errorf("Get: %v\nis long", err)
	}
}
