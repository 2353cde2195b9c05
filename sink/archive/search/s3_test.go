package search_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint/bucket/s3"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink/archive/search"
	"github.com/houndtrail/houndtrail/sink/sinktest/servers"
)

// counted starts a proxy before a server. It counts the requests, and the bytes of their answers.
func counted(t *testing.T, endpoint string) (at string, requests, bytes *atomic.Int64) {
	t.Helper()
	target, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	requests, bytes = new(atomic.Int64), new(atomic.Int64)
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			requests.Add(1)
			r.SetURL(target)
			r.Out.Host = r.In.Host // the signature covers it
		},
		ModifyResponse: func(r *http.Response) error {
			bytes.Add(max(r.ContentLength, 0))
			return nil
		},
	})
	t.Cleanup(proxy.Close)
	return proxy.URL, requests, bytes
}

// TestS3: on a real S3 server, one id or one request costs few requests and few bytes of a compacted day, and each small file of a
// day costs one request.
func TestS3(t *testing.T) {
	t.Parallel()
	server := servers.VersityGW(t)
	servers.CreateBucket(t, server, "audit", false)
	endpoint, requests, bytes := counted(t, server.Endpoint)
	b, err := s3.Open(t.Context(), s3.Options{
		Bucket: "audit", Endpoint: endpoint, Region: server.Region, PathStyle: true,
		AccessKey: server.AccessKey, SecretKey: server.SecretKey,
	})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, "parquet")
	w.bucket = checkpointtest.NewFaulty(b)
	records := make([]record.Record, 60_000)
	for i := range records {
		records[i] = record.Record{
			ID: int64(i + 1), CreatedAt: day1.Add(time.Duration(i) * time.Second), Action: fmt.Sprintf("Action%d", i%50),
			ActorName: fmt.Sprintf("user.%d", i%300), Status: "success",
			RequestID: fmt.Sprintf("%08x-0000-4000-8000-%012d", i*7919, i/2), Fields: fmt.Sprintf(`{"n":"%x"}`, uint64(i)*0x9e3779b97f4a7c15),
		}
	}
	w.records = records
	w.compactedTwin(day1)
	other := day1.AddDate(0, 0, 1)
	for i := range 20 {
		at := other.Add(time.Duration(i) * time.Minute)
		w.write(at, recordOf(t, int64(100_000+i), at, `,"action":"Small"`))
	}
	size := int64(len(w.body(w.keys()[0])))
	wanted := records[40_000]
	for name, test := range map[string]struct {
		o               search.Options
		found           int
		requests, bytes int64
	}{
		"an id":          {search.Options{Filters: by("id=eq:40001")}, 1, 38, size * 2 / 5},
		"an id of a day": {search.Options{Filters: by("id=eq:40001"), After: day1, Before: other.Add(-1)}, 1, 15, size / 3},
		"a request": {
			search.Options{Filters: by("request_id=eq:" + wanted.RequestID), After: day1, Before: other.Add(-1)},
			1, 16, size / 3,
		},
		"no request": {
			search.Options{Filters: by("request_id=eq:12345678-0000-4000-8000-00000000000x"), After: day1, Before: other.Add(-1)},
			0, 4, 150_000,
		},
		"small files": {search.Options{After: other, Before: other.AddDate(0, 0, 1).Add(-1)}, 20, 1 + 20, 150_000},
	} {
		requests.Store(0)
		bytes.Store(0)
		if test.o.Before.IsZero() {
			test.o.Before = other.AddDate(0, 0, 1).Add(-1)
		}
		got := w.find(test.o)
		t.Logf("%s: %d found, %d requests, %d of %d bytes", name, len(got), requests.Load(), bytes.Load(), size)
		if len(got) != test.found || requests.Load() > test.requests || bytes.Load() > test.bytes {
			t.Errorf("%s: %d found, %d requests, %d bytes; want %d, and at most %d and %d", name, len(got), requests.Load(), bytes.Load(),
				test.found, test.requests, test.bytes)
		}
	}
}
