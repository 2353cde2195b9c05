package open_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/checkpoint/bucket/buckettest"
	"github.com/houndtrail/houndtrail/checkpoint/bucket/open"
	"github.com/houndtrail/houndtrail/checkpoint/bucket/s3"
)

func TestOpen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}

	for url, want := range map[string]string{
		"file://" + dir:                  "file://" + dir,
		"file://" + dir + "/a/../b/":     "file://" + dir + "/b",
		"file:///var/lib/with%20a%20gap": "file:///var/lib/with%20a%20gap",
		"s3://bucket":                    "s3://bucket",
		"s3://bucket/":                   "s3://bucket",
		"s3://my.bucket/a/b/":            "s3://my.bucket/a/b",
		"s3://bucket/tenant=x":           "s3://bucket/tenant=x",

		"":                          "error: has no scheme",
		"/var/lib/houndtrail":       "error: has no scheme",
		"gs://bucket":               `error: scheme "gs" is not supported`,
		"https://bucket.s3":         "error: write file:///dir or s3://bucket/prefix",
		"file://":                   "error: with three slashes",
		"file://data/audit":         "error: with three slashes",
		"file:data":                 "error: with three slashes",
		"file://" + file:            "error: is a file",
		"file://" + file + "/below": "error: not a directory",
		"s3://":                     "error: names no bucket",
		"s3:///prefix":              "error: names no bucket",
		"s3://bucket:443/prefix":    "error: bucket name",
		"s3://ab":                   "error: too short",
		"s3://b_!/prefix":           "error: bucket name",
		"s3://bucket/a//b":          "error: unsafe object key",
		"s3://bucket/../other":      "error: unsafe object key",
		"s3://bucket/a?region=x":    "error: after a ? or #",
		"s3://bucket/a#x":           "error: after a ? or #",
		"s3://key:hunter2@bucket/a": "error: user or password",
		"s3://key:hunter2@buc ket":  "error: cannot be read",
		"s3://bucket/%zz":           "error: cannot be read",
	} {
		b, err := open.Open(t.Context(), url, open.Options{S3: s3.Options{Region: "eu-west-1"}})
		if wantErr, ok := strings.CutPrefix(want, "error: "); ok {
			buckettest.WantError(t, "Open "+url, err, wantErr)
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("Open %s: %v\nshows the password", url, err)
			}
		} else if err != nil || b.String() != want {
			t.Errorf("Open %s: %v, %v; want %s", url, b, err, want)
		}
	}
}

// TestOptions: the store has its place from the URL. It has the options of every kind, and its own.
func TestOptions(t *testing.T) {
	t.Parallel()
	var sent sync.Map // the retention that each object was sent with, by its path
	stub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent.Store(r.URL.Path, r.Header.Get("X-Amz-Object-Lock-Mode"))
		w.Header().Set("ETag", `"e"`)
	}))
	t.Cleanup(stub.Close)
	b, err := open.Open(t.Context(), "s3://bucket/some/prefix", open.Options{
		Options: bucket.Options{Rewritten: func(key string) bool { return key == "lease" }},
		S3: s3.Options{
			Bucket: "other", Prefix: "other", Endpoint: stub.URL, PathStyle: true, AccessKey: "a", SecretKey: "s",
			ObjectLockMode: "GOVERNANCE", ObjectLockDays: 1, MaxAttempts: 1,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"entry": "GOVERNANCE", "lease": ""} {
		buckettest.Put(t, b, key, []byte("x"), "")
		if got, ok := sent.Load("/bucket/some/prefix/" + key); got != want || !ok {
			t.Errorf("%s was sent to its place: %v, with retention %q; want %q", key, ok, got, want)
		}
	}
}

// FuzzOpen: the name that a store gives itself opens the same store. A checkpoint remembers the store by that name.
func FuzzOpen(f *testing.F) {
	for _, url := range []string{
		"s3://bucket/a b", "file:///a%2520b", "s3://bucket/%2e%2e/x", "file:///a/../..//b",
		"s3://b.c/?",
	} {
		f.Add(url)
	}
	f.Fuzz(func(t *testing.T, url string) {
		opts := open.Options{S3: s3.Options{Region: "eu-west-1", AccessKey: "a", SecretKey: "s"}}
		b, err := open.Open(t.Context(), url, opts)
		if err != nil {
			return
		}
		again, err := open.Open(t.Context(), b.String(), opts)
		if err != nil || again.String() != b.String() {
			t.Errorf("Open %q is %s, which opens as %v, %v", url, b, again, err)
		}
	})
}
