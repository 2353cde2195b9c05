package rest

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest/resttest"
)

// straightHMAC is HMAC-SHA256 as RFC 2104 writes it, without the library.
func straightHMAC(key, data []byte) []byte {
	var inner, outer [64]byte
	if len(key) > len(inner) {
		sum := sha256.Sum256(key)
		key = sum[:]
	}
	copy(inner[:], key)
	copy(outer[:], key)
	for i := range inner {
		inner[i] ^= 0x36
		outer[i] ^= 0x5c
	}
	sum := sha256.Sum256(append(inner[:], data...))
	sum = sha256.Sum256(append(outer[:], sum[:]...))
	return sum[:]
}

// straightSignature is the signature as the API contract words it.
func straightSignature(key, method, target, date string, body []byte) string {
	k1 := straightHMAC([]byte(key), []byte(method+target))
	k2 := straightHMAC(k1, []byte(date)[:13]) // 2026-01-15T12
	return base64.StdEncoding.EncodeToString(straightHMAC(k2, body))
}

// FuzzSignature holds the signature of anything at any time against a straightforward computation.
func FuzzSignature(f *testing.F) {
	f.Add(resttest.Key, "GET", "/api/v2/audit?limit=1000&skip=0&sort_by=id", int64(1768480496), int16(0), []byte(nil))
	f.Add("", "", "", int64(0), int16(-720), []byte{0})
	f.Add(strings.Repeat("k", 64), "POST", "/api/v2/x?a=%2B&a=+", int64(-1), int16(840), []byte(`{"a":1}`))
	f.Add(strings.Repeat("k", 65), "\xff", "/é", int64(253402300800), int16(1), []byte(strings.Repeat("x", 64)))
	f.Fuzz(func(t *testing.T, key, method, target string, seconds int64, zone int16, body []byte) {
		const year9999 = 253_402_300_800
		at := time.Unix(seconds%year9999, 0).In(time.FixedZone("", int(zone)%(24*60)*60))
		date := at.Format(time.RFC3339)
		if got, want := signature(key, method, target, date, body), straightSignature(key, method, target, date, body); got != want {
			t.Fatalf("%q %q at %s with the key %q is signed %s, want %s", method, target, date, key, got, want)
		}
	})
}

// FuzzToken signs whole requests. The client refuses a request before it sends it. It signs the target that goes on the wire. The
// key is in no header and no error.
func FuzzToken(f *testing.F) {
	f.Add(resttest.Token, resttest.Key, "/api/v2/audit?limit=1000&skip=0&sort_by=id", []byte(nil))
	f.Add(resttest.Token, " "+resttest.Key+"\n", "/api/v2/audit?after=2026-01-15T00%3A00%3A00Z", []byte("{}"))
	f.Add("", "a secret with spaces", "/a b", []byte{})
	f.Add("\x00", "clé-secrète", "//host/a?b#c", []byte{0xff})
	f.Add(resttest.Token, "longer than anything else\x00", "", []byte("x"))
	f.Fuzz(func(t *testing.T, id, key, target string, body []byte) {
		c := newClient(t, Options{})
		r, err := c.newRequest(t.Context(), http.MethodGet, target, body)
		if err != nil {
			return // FuzzToken is about requests that the client may send
		}
		if err := Token(id, resttest.Always(key)).authorize(t.Context(), c, r, body); err != nil {
			if leaks(err.Error(), key) {
				t.Fatalf("the key %q is in the error: %v", key, err)
			}
			return
		}
		date := r.Header.Get("RequestDate")
		if at, err := time.Parse(time.RFC3339, date); err != nil || time.Since(at).Abs() > time.Minute {
			t.Fatalf("dated %q", date)
		}
		want := straightSignature(strings.TrimSpace(key), "GET", target, date, body)
		if got := r.Header.Get("Signature"); got != want || r.URL.RequestURI() != target {
			t.Fatalf("%q is signed %s, want %s for %q", r.URL.RequestURI(), got, want, target)
		}
		for name, values := range r.Header {
			if value := strings.Join(values, ","); name != "Signature" && name != "Requestdate" && !strings.Contains(id, strings.TrimSpace(key)) && leaks(value, key) {
				t.Fatalf("the key %q is in %s: %s", key, name, value)
			}
		}
	})
}

// leaks tells that a text holds a key. A key that is short, or part of every request and error, proves nothing.
func leaks(text, key string) bool {
	const said = "bhesignature application/json gzip no-cache houndtrail read the API token's key: it is empty: " +
		"it holds a character that is not printable ASCII, such as a line break"
	key = strings.TrimSpace(key)
	return len(key) >= 8 && !strings.Contains(said, key) && strings.Contains(text, key)
}
