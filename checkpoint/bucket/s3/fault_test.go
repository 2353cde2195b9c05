package s3_test

import (
	"bytes"
	"cmp"
	"errors"
	"io/fs"
	"net/http"
	"strings"
	"testing"

	"github.com/houndtrail/houndtrail/checkpoint/bucket/buckettest"
	"github.com/houndtrail/houndtrail/sink/sinktest/servers"
)

// TestPutFaults breaks the requests that make an object visible, with and without their effect. Then it looks at the store. If the
// store has this writer's object, Put has to succeed. If another writer was first, Put has to return that error.
func TestPutFaults(t *testing.T) {
	t.Parallel()
	server := servers.VersityGW(t)
	servers.CreateBucket(t, server, "faults", false)

	small, large := []byte(`{"writer":"ours"}`), bytes.Repeat([]byte("ours"), 2*partSize/4+1)
	other := []byte("another's")
	tests := map[string]struct {
		faults   []fault // of the first, second... commit request; the last one repeats
		before   []byte  // the object before the Put
		replace  bool    // the Put should replace that object
		attempts int     // default: 3
		// overtaken: another writer replaces our object while its answer is lost. Then either result is true, and the store has
		// the other writer's object.
		overtaken bool
		wantErr   error // nil: the store has our body
		wantSent  int
	}{
		"answer cut":                        {faults: []fault{cutAfter, none}, wantSent: 2},
		"every answer cut":                  {faults: []fault{cutAfter}, wantSent: 3},
		"answer cut, no retry":              {faults: []fault{cutAfter}, attempts: 1, wantSent: 1},
		"500 after the effect":              {faults: []fault{failAfter, none}, wantSent: 2},
		"cut before the effect":             {faults: []fault{cutBefore, none}, wantSent: 2},
		"409, then fine":                    {faults: []fault{conflict, none}, wantSent: 2},
		"503, then fine":                    {faults: []fault{busy, none}, wantSent: 2},
		"replace, answer cut":               {faults: []fault{cutAfter, none}, before: other, replace: true, wantSent: 2},
		"replace, every answer cut":         {faults: []fault{cutAfter}, before: other, replace: true, wantSent: 3},
		"replace, cut before the effect":    {faults: []fault{cutBefore, none}, before: other, replace: true, wantSent: 2},
		"object of another writer":          {faults: []fault{none}, before: other, wantErr: fs.ErrExist, wantSent: 1},
		"object of another writer, cut":     {faults: []fault{cutAfter, none}, before: other, wantErr: fs.ErrExist, wantSent: 2},
		"our own body, stored before":       {faults: []fault{none}, before: small, wantErr: fs.ErrExist, wantSent: 1},
		"answer cut, overtaken":             {faults: []fault{cutAfter, none}, overtaken: true, wantSent: 2},
		"never reached the store":           {faults: []fault{cutBefore}, wantErr: errAny, wantSent: 3},
		"the store is busy for too long":    {faults: []fault{busy}, wantErr: errAny, wantSent: 3},
		"conflicts that do not come to end": {faults: []fault{conflict}, wantErr: errAny, wantSent: 3},
	}
	for name, test := range tests {
		for size, body := range map[string][]byte{"small": small, "large": large} {
			if size == "large" && bytes.Equal(test.before, small) {
				test.before = large
			}
			t.Run(name+"/"+size, func(t *testing.T) {
				t.Parallel()
				direct := open(t, options(server, "faults"))
				key := strings.ReplaceAll(t.Name(), " ", "-")
				version := ""
				if test.before != nil {
					version = buckettest.Put(t, direct, key, test.before, "")
				}
				if !test.replace {
					version = ""
				}

				sent := 0
				p := newProxy(t, server.Endpoint, func(r *http.Request) fault {
					if !commits(r) {
						return none
					}
					sent++
					if sent == 2 && test.overtaken {
						_, ours, _, err := direct.Get(t.Context(), key)
						if err != nil {
							t.Errorf("the first request had no effect: %v", err)
						}
						buckettest.Put(t, direct, key, other, ours)
					}
					return test.faults[min(sent, len(test.faults))-1]
				})
				opts := options(server, "faults")
				opts.Endpoint, opts.PartSize = p.URL, partSize
				opts.MaxAttempts = cmp.Or(test.attempts, 3)
				got, err := open(t, opts).Put(t.Context(), key, body, version)

				if sent != test.wantSent {
					t.Errorf("%d requests were sent; want %d", sent, test.wantSent)
				}
				want := body
				switch {
				case test.overtaken:
					want = other
					if err != nil && !errors.Is(err, fs.ErrExist) {
						t.Errorf("Put: %v; want success or %v", err, fs.ErrExist)
					}
				case test.wantErr == nil && err != nil:
					t.Errorf("Put: %v; want success, the object is stored", err)
				case errors.Is(test.wantErr, errAny):
					want = nil
					if err == nil || errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
						t.Errorf("Put: %v; want an error that leaves it open", err)
					}
				case test.wantErr != nil:
					want = other
					if test.before != nil {
						want = test.before
					}
					if !errors.Is(err, test.wantErr) {
						t.Errorf("Put: %v; want %v", err, test.wantErr)
					}
				}
				stored, version, _, err := direct.Get(t.Context(), key)
				if want == nil {
					if !errors.Is(err, fs.ErrNotExist) {
						t.Errorf("Get: %d bytes, %v; want none", len(stored), err)
					}
				} else if err != nil || !bytes.Equal(stored, want) {
					t.Errorf("Get: %d bytes, %v; want the other body", len(stored), err)
				} else if test.wantErr == nil && !test.overtaken && got != version {
					t.Errorf("Put gave version %q; the store has %q", got, version)
				}
			})
		}
	}
}

var errAny = errors.New("any error")

// commits reports whether a request makes an object visible: PutObject or CompleteMultipartUpload.
func commits(r *http.Request) bool {
	query := r.URL.Query()
	return r.Method == http.MethodPut && !query.Has("partNumber") || r.Method == http.MethodPost && query.Has("uploadId")
}

// TestAbortsParts: if the upload of a large body fails, it leaves no parts. No listing would show them, and the owner would pay
// for them.
func TestAbortsParts(t *testing.T) {
	t.Parallel()
	server := servers.VersityGW(t)
	servers.CreateBucket(t, server, "parts", false)
	p := newProxy(t, server.Endpoint, func(r *http.Request) fault {
		if r.URL.Query().Get("partNumber") == "2" {
			return busy
		}
		return none
	})
	opts := options(server, "parts")
	opts.Endpoint, opts.MaxAttempts, opts.PartSize = p.URL, 1, partSize
	if _, err := open(t, opts).Put(t.Context(), "a", make([]byte, partSize+1), ""); err == nil {
		t.Fatal("Put succeeded without its second part")
	}
	if sent := p.requests(http.MethodDelete); len(sent) != 1 || !sent[0].URL.Query().Has("uploadId") {
		t.Errorf("the upload was not aborted: %v", sent)
	}
}
