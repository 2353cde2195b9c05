package archive_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"houndtrail/exporter/bloodhound"
	"houndtrail/exporter/window"
	"houndtrail/sink/archive"
	"houndtrail/sink/ndjson"
	"houndtrail/sink/parquet"
	"houndtrail/sink/sinktest"
)

// format is one of the archive's formats, and a reader of it that shares nothing with its writer.
type format struct {
	encoder   func() archive.Encoder
	extension string
	read      func(tb testing.TB, object []byte) []bloodhound.Record
}

var formats = map[string]format{
	"parquet": {
		func() archive.Encoder {
			return parquet.NewEncoder(parquet.Metadata{Tenant: sinktest.Tenant, Version: "test"})
		},
		".parquet", sinktest.ReadParquet,
	},
	"ndjson": {
		func() archive.Encoder { return ndjson.NewEncoder(sinktest.Tenant) },
		".ndjson.gz", sinktest.ReadNDJSON,
	},
}

func open(t testing.TB, bucket archive.Bucket, f format) *archive.Archive {
	t.Helper()
	a, err := archive.New(bucket, sinktest.Tenant, f.encoder())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// conform runs the suite for each format.
func conform(t *testing.T, bucket func(t *testing.T) sinktest.Bucket) {
	for name, f := range formats {
		t.Run(name, func(t *testing.T) {
			sinktest.Archive{
				Open:      bucket,
				Sink:      func(t *testing.T, b sinktest.Bucket) sinktest.Sink { return open(t, b, f) },
				Read:      f.read,
				Extension: f.extension,
				HasMore:   archive.ErrHasMore,
			}.Run(t)
		})
	}
}

func TestMemory(t *testing.T) {
	conform(t, func(*testing.T) sinktest.Bucket { return newMemory() })
}

// TestSchedules plays arbitrary histories: windows one after another, each attempted a few times with ever more of its
// records and with faults, until one attempt succeeds. Whatever happens, every record is there once.
func TestSchedules(t *testing.T) {
	pool := sinktest.Generate(t, 1, 400, time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), 17*time.Minute)
	for name, f := range formats {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				bucket := &sinktest.Faults{Bucket: newMemory()}
				a := open(t, bucket, f)
				var want []int64
				for from := 0; from < len(pool); {
					to := from + rapid.IntRange(1, 150).Draw(rt, "records")
					records := pool[from:min(to, len(pool))]
					w := window.Window{Start: records[0].CreatedAt, End: records[len(records)-1].CreatedAt.Add(1)}
					seen := rapid.IntRange(1, len(records)).Draw(rt, "seen")
					for {
						bucket.Next(sinktest.Fault{
							Put:     rapid.IntRange(0, 4).Draw(rt, "fault"),
							Applied: rapid.Bool().Draw(rt, "applied"),
						})
						_, err := a.Write(t.Context(), w, records[:seen])
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
				var got []int64
				keys, _ := bucket.List(t.Context(), "", "")
				for _, key := range keys {
					body, _, _, _ := bucket.Get(t.Context(), key)
					ids, err := f.encoder().IDs(body)
					if err != nil {
						rt.Fatalf("%s: %v", key, err)
					}
					got = append(got, ids...)
				}
				slices.Sort(got)
				if !slices.Equal(want, got) {
					rt.Fatalf("wrote ids %v\nfound %v", want, got)
				}
			})
		})
	}
}

func TestTenant(t *testing.T) {
	for tenant, ok := range map[string]bool{
		"acme.example": true, "A-1_b": true, "": false, "a/b": false, "a b": false, "a'": false, "é": false, "a\n": false,
	} {
		if _, err := archive.New(newMemory(), tenant, formats["ndjson"].encoder()); (err == nil) != ok {
			t.Errorf("New(%q): %v", tenant, err)
		}
	}
}

func TestOrder(t *testing.T) {
	records := sinktest.Generate(t, 1, 3, time.Date(2026, 3, 1, 23, 59, 59, 0, time.UTC), time.Second)
	for _, order := range [][]int{{1, 0}, {1, 0, 2}, {0, 2, 1}} {
		bucket := newMemory()
		var wrong []bloodhound.Record
		for _, i := range order {
			wrong = append(wrong, records[i])
		}
		_, err := open(t, bucket, formats["parquet"]).Write(t.Context(), window.Window{}, wrong)
		if !errors.Is(err, archive.ErrOrder) && !errors.Is(err, parquet.ErrOrder) {
			t.Errorf("order %v: %v; want an error of order", order, err)
		}
	}
}

// memory is a bucket in memory. Its versions are counted, so that a replaced object always shows.
type memory struct {
	mu      sync.Mutex
	counter int
	objects map[string]object

	// beforePut, if set, runs before each Put, without the lock: somebody else who writes.
	beforePut func(key, version string)
}

type object struct {
	body    []byte
	version string
}

func newMemory() *memory { return &memory{objects: map[string]object{}} }

func (*memory) String() string { return "mem://test" }

func (m *memory) set(key string, body []byte) string {
	m.counter++
	m.objects[key] = object{bytes.Clone(body), strconv.Itoa(m.counter)}
	return m.objects[key].version
}

func (m *memory) Get(ctx context.Context, key string) ([]byte, string, time.Duration, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.objects[key]
	if !ok {
		return nil, "", 0, fs.ErrNotExist
	}
	return bytes.Clone(o.body), o.version, 0, ctx.Err()
}

func (m *memory) Put(ctx context.Context, key string, body []byte, version string) (string, error) {
	if m.beforePut != nil {
		m.beforePut(key, version)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return "", err
	}
	o, ok := m.objects[key]
	switch {
	case ok && o.version != version:
		return "", fs.ErrExist
	case !ok && version != "":
		return "", fs.ErrNotExist
	}
	return m.set(key, body), nil
}

func (m *memory) List(_ context.Context, prefix, after string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var keys []string
	for key := range m.objects {
		if strings.HasPrefix(key, prefix) && key > after {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys, nil
}
