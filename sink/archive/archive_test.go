package archive_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/checkpoint/bucket/dir"
	"github.com/houndtrail/houndtrail/checkpoint/bucket/s3"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/archive"
	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/parquet"
	"github.com/houndtrail/houndtrail/sink/sinktest"
	"github.com/houndtrail/houndtrail/sink/sinktest/servers"
)

// format is one of the archive's formats, with a reader that shares no code with the writer.
type format struct {
	encoder   func() archive.Encoder
	extension string
	read      func(tb testing.TB, object []byte) []record.Record
}

var formats = map[string]format{
	"parquet": {
		func() archive.Encoder {
			return parquet.NewEncoder(parquet.Metadata{Tenant: sinktest.Tenant, Version: "test"})
		},
		".parquet", sinktest.ReadParquet,
	},
	"ndjson": {
		func() archive.Encoder { return ndjson.NewEncoder(sinktest.Tenant, ndjson.Gzip) },
		".ndjson.gz", sinktest.ReadNDJSON,
	},
	"ndjson-zstd": {
		func() archive.Encoder { return ndjson.NewEncoder(sinktest.Tenant, ndjson.Zstd) },
		".ndjson.zst", sinktest.ReadNDJSON,
	},
}

func open(t *testing.T, b bucket.Bucket, f format) *archive.Archive {
	t.Helper()
	a, err := archive.New(b, sinktest.Tenant, f.encoder)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// conform runs the suite for each format.
func conform(t *testing.T, empty func(t *testing.T) bucket.Bucket) {
	t.Helper()
	for name, f := range formats {
		t.Run(name, func(t *testing.T) {
			sinktest.Archive{
				Open: empty,
				Sink: func(t *testing.T, b bucket.Bucket) sinktest.Sink {
					t.Helper()
					return open(t, b, f)
				},
				Read:      f.read,
				Extension: f.extension,
				HasMore:   archive.ErrHasMore,
			}.Run(t)
		})
	}
}

func TestMemory(t *testing.T) {
	conform(t, func(*testing.T) bucket.Bucket { return new(checkpointtest.Memory) })
}

func TestDir(t *testing.T) {
	conform(t, func(t *testing.T) bucket.Bucket {
		t.Helper()
		store, err := dir.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		return store
	})
}

func TestS3(t *testing.T) {
	server := servers.VersityGW(t)
	servers.CreateBucket(t, server, "archive", false)
	prefixes := 0 // each test has its own prefix, and so an empty archive
	conform(t, func(t *testing.T) bucket.Bucket {
		t.Helper()
		prefixes++
		store, err := s3.Open(t.Context(), s3.Options{
			Bucket: "archive", Prefix: fmt.Sprintf("team/%d", prefixes), PathStyle: true,
			Endpoint: server.Endpoint, Region: server.Region, AccessKey: server.AccessKey, SecretKey: server.SecretKey,
		})
		if err != nil {
			t.Fatal(err)
		}
		return store
	})
}

// TestSchedules plays arbitrary histories: windows one after another. Each window has a few attempts, with more of its records each
// time and with faults, until one attempt succeeds. At the end, the archive has every record once. The format does not matter here.
func TestSchedules(t *testing.T) {
	t.Parallel()
	f := formats["ndjson"]
	pool := sinktest.Generate(t, 1, 40, time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), 3*time.Hour)
	rapid.Check(t, func(rt *rapid.T) {
		b := checkpointtest.NewFaulty(new(checkpointtest.Memory))
		a := open(t, b, f)
		var want []int64
		for from := 0; from < len(pool); {
			records := pool[from:min(from+rapid.IntRange(1, 30).Draw(rt, "records"), len(pool))]
			w := window.Window{Start: records[0].CreatedAt, End: records[len(records)-1].CreatedAt.Add(1)}
			seen := rapid.IntRange(1, len(records)).Draw(rt, "seen")
			for {
				hook, _ := sinktest.Fault{
					Put:     rapid.Int64Range(0, 4).Draw(rt, "fault"),
					Applied: rapid.Bool().Draw(rt, "applied"),
				}.Hook()
				b.On(hook)
				_, err := sinktest.Write(t.Context(), a, w, records[:seen])
				if err == nil {
					break
				}
				if !errors.Is(err, sinktest.ErrFault) {
					rt.Fatalf("write: %v", err)
				}
				seen = rapid.IntRange(seen, len(records)).Draw(rt, "seen")
			}
			for _, r := range records[:seen] {
				want = append(want, r.ID)
			}
			from += seen
		}
		b.On(nil)
		if got := ids(t, b, f); !slices.Equal(want, got) {
			rt.Fatalf("wrote ids %v\nfound %v", want, got)
		}
	})
}

// ids returns the ids of all records in a bucket, sorted.
func ids(t *testing.T, b bucket.Bucket, f format) []int64 {
	t.Helper()
	keys, err := b.List(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	var got []int64
	for _, key := range keys {
		body, _, _, err := b.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range f.read(t, body) {
			got = append(got, r.ID)
		}
	}
	slices.Sort(got)
	return got
}

func TestTenant(t *testing.T) {
	for tenant, ok := range map[string]bool{
		"acme.example": true, "A-1_b": true, "": false, "a/b": false, "a b": false, "a'": false, "é": false, "a\n": false,
	} {
		if _, err := archive.New(new(checkpointtest.Memory), tenant, formats["ndjson"].encoder); (err == nil) != ok {
			t.Errorf("New(%q): %v", tenant, err)
		}
	}
}

// TestOrder: if a day came a second time, it would overwrite its own object. Within a day, only the encoder checks the order.
func TestOrder(t *testing.T) {
	records := sinktest.Generate(t, 1, 3, time.Date(2026, 3, 1, 23, 59, 59, 0, time.UTC), time.Second)
	for _, order := range [][]int{{1, 0}, {1, 0, 2}, {1, 2, 0}} {
		store := new(checkpointtest.Memory)
		var wrong []record.Record
		for _, i := range order {
			wrong = append(wrong, records[i])
		}
		_, err := sinktest.Write(t.Context(), open(t, store, formats["ndjson"]), window.Window{}, wrong)
		if !errors.Is(err, archive.ErrOrder) {
			t.Errorf("order %v: %v; want %v", order, err, archive.ErrOrder)
		}
		if found := ids(t, store, formats["ndjson"]); len(found) > 0 {
			t.Errorf("order %v: refused, but wrote ids %v", order, found)
		}
	}
}
