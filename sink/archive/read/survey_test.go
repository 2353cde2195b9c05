package read_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/checkpoint/bucket/dir"
	"github.com/houndtrail/houndtrail/checkpoint/bucket/s3"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/archive/read"
	"github.com/houndtrail/houndtrail/sink/sinktest/servers"
)

// survey surveys the archive and compares it with the model.
func (m *model) survey(t tester) read.Found {
	t.Helper()
	var got []checkpoint.Record
	found, err := read.Survey(t.Context(), m.bucket, tenant, func(id int64, createdAt time.Time) error {
		got = append(got, checkpoint.Record{ID: id, CreatedAt: createdAt})
		return nil
	})
	if err != nil {
		t.Fatalf("survey: %v", err)
	}
	want := m.expect()
	slices.SortFunc(got, compare)
	if diff := cmp.Diff(m.records, got); diff != "" {
		t.Errorf("records (-written +found):\n%s", diff)
	}
	bare := found
	bare.DuplicateIDs = nil
	if diff := cmp.Diff(want, bare); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
	if (found.Duplicates > 0) != (len(found.DuplicateIDs) > 0) || len(found.DuplicateIDs) > 5 {
		t.Errorf("%d duplicates, with the examples %v", found.Duplicates, found.DuplicateIDs)
	}
	for _, id := range found.DuplicateIDs {
		n := 0
		for _, r := range got {
			if r.ID == id {
				n++
			}
		}
		if n < 2 {
			t.Errorf("id %d is no duplicate", id)
		}
	}
	return found
}

// TestSurvey plays arbitrary histories: windows of several days one after another, late rows, and passes that find them. A restored
// database also gives out ids again, and some records are written twice.
func TestSurvey(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		m := newModel(rt, new(checkpointtest.Memory), rapid.SampledFrom([]string{"parquet", "ndjson", "ndjson-zstd"}).Draw(rt, "encoding"))
		var late, written []record.Record
		id, cursor := rapid.Int64Range(1, 1<<40).Draw(rt, "first id"), day1.Add(-time.Microsecond)
		for n := range rapid.IntRange(0, 12).Draw(rt, "windows") {
			w := window.Window{Start: cursor, End: cursor.Add(time.Duration(rapid.Int64Range(1, 40*3600*1e6).Draw(rt, "span")) * time.Microsecond)}
			var records []record.Record
			for range rapid.IntRange(0, 6).Draw(rt, "records") {
				at := w.Start.Add(time.Duration(rapid.Int64Range(0, w.Span().Microseconds()-1).Draw(rt, "at")) * time.Microsecond)
				r := recordAt(id+rapid.Int64Range(-3, 3).Draw(rt, "order")*7, at)
				id++
				if rapid.IntRange(0, 4).Draw(rt, "late") == 0 {
					late = append(late, r)
				} else {
					records = append(records, r)
				}
			}
			switch rapid.IntRange(0, 3).Draw(rt, "then") {
			case 0: // the overlap finds the late records
				records, late = append(records, late...), nil
			case 1: // a rescan finds them
				m.write(rt, window.Window{Start: day1, End: w.Start, Pass: uint64(n + 1)}, late...)
				written, late = append(written, late...), nil
			case 2: // a fault writes some records twice
				if len(written) > 0 {
					records = append(records, rapid.SampledFrom(written).Draw(rt, "twice"))
				}
			}
			m.write(rt, w, records...)
			written = append(written, records...)
			cursor = w.End
		}
		m.survey(rt)
	})
}

// conform surveys an archive in each format. It has more days with duplicates than a survey names, and an id that two records have.
func conform(t *testing.T, open func(t *testing.T) bucket.Bucket) {
	t.Helper()
	for encoding := range encoders {
		t.Run(encoding, func(t *testing.T) {
			m := newModel(t, open(t), encoding)
			m.fill(t)
			again := []record.Record{recordAt(3, day1.Add(2*time.Hour-time.Microsecond))}
			for id := range int64(7) {
				again = append(again, recordAt(id+1, day1.Add(time.Duration(id)*time.Hour)))
			}
			m.write(t, window.Window{Start: day1, End: day1.Add(24 * time.Hour), Pass: 12}, again...)
			if found := m.survey(t); found.Duplicates != 7 || !slices.Equal([]int64{1, 2, 3, 4, 5}, found.DuplicateIDs) {
				t.Errorf("%d duplicates (%v), want 7", found.Duplicates, found.DuplicateIDs)
			}
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
	conform(t, func(t *testing.T) bucket.Bucket {
		t.Helper()
		store, err := s3.Open(t.Context(), s3.Options{
			Bucket: "archive", Prefix: t.Name(), PathStyle: true, PageSize: 2,
			Endpoint: server.Endpoint, Region: server.Region, AccessKey: server.AccessKey, SecretKey: server.SecretKey,
		})
		if err != nil {
			t.Fatal(err)
		}
		return store
	})
}

// fill writes 20 windows of 5 hours, with a record each hour and ids from 1 on.
func (m *model) fill(t tester) {
	t.Helper()
	for n := range 20 {
		w := window.Window{Start: day1.Add(time.Duration(n) * 5 * time.Hour)}
		w.End = w.Start.Add(5 * time.Hour)
		var records []record.Record
		for h := range 5 {
			records = append(records, recordAt(int64(n*5+h+1), w.Start.Add(time.Duration(h)*time.Hour)))
		}
		m.write(t, w, records...)
	}
}

// TestUnknown: the survey returns the keys that no archive writes, and does not read them.
func TestUnknown(t *testing.T) {
	m := newModel(t, new(checkpointtest.Memory), "parquet")
	m.write(t, window.Window{Start: day1, End: day1.Add(time.Hour)}, recordAt(1, day1))
	const dt = "audit/tenant=" + tenant + "/dt=2026-03-01/"
	m.want.Unknown = []string{dt + "20260301T000000.000000Z (1).parquet", dt + "_SUCCESS", "audit/tenant=" + tenant + "/README"}
	for _, key := range append(m.want.Unknown, "audit/tenant=acme.example2/x", "audit/tenant=acme/x", "quarantine/tenant=acme.example/x.json") {
		if _, err := m.bucket.Put(t.Context(), key, []byte("x"), ""); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(m.want.Unknown)
	m.survey(t)
}

// TestProgress: the survey calls progress after each object, and the caller can stop it.
func TestProgress(t *testing.T) {
	m := newModel(t, new(checkpointtest.Memory), "parquet")
	m.fill(t)
	var got []string
	report := read.WithProgress(func(done, all int) { got = append(got, fmt.Sprintf("%d/%d", done, all)) })
	if _, err := read.Survey(t.Context(), m.bucket, tenant, nil, report); err != nil {
		t.Fatal(err)
	}
	var want []string
	for i := range m.want.Objects {
		want = append(want, fmt.Sprintf("%d/%d", i+1, m.want.Objects))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}
	stop, calls := errors.New("stop"), 0
	found, err := read.Survey(t.Context(), m.bucket, tenant, func(int64, time.Time) error { calls++; return stop })
	if !errors.Is(err, stop) || calls != 1 || found.Objects > 0 {
		t.Errorf("%v after %d calls, found %+v; want %v after 1", err, calls, found, stop)
	}
}

// gated is a bucket with a hook in its Gets.
type gated struct {
	bucket.Bucket

	get func(ctx context.Context, key string) error
}

func (g gated) Get(ctx context.Context, key string) ([]byte, string, time.Duration, error) {
	if err := g.get(ctx, key); err != nil {
		return nil, "", 0, err
	}
	return g.Bucket.Get(ctx, key)
}

// TestParallel: the survey fetches eight objects at a time, and memory holds no more, even if the caller is slow.
func TestParallel(t *testing.T) {
	const parallel = 8
	m := newModel(t, new(checkpointtest.Memory), "parquet")
	m.fill(t)
	var mu sync.Mutex
	asked, done, most := 0, 0, 0
	together := make(chan struct{})
	b := gated{m.bucket, func(ctx context.Context, _ string) error {
		mu.Lock()
		asked++
		most = max(most, asked-done)
		if asked == parallel {
			close(together)
		}
		mu.Unlock()
		select {
		case <-together:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // it ends only if the eighth never comes
	defer cancel()
	count := read.WithProgress(func(n, _ int) {
		mu.Lock()
		defer mu.Unlock()
		done = n
	})
	if _, err := read.Survey(ctx, b, tenant, nil, count); err != nil {
		t.Fatal(err)
	}
	if most > parallel {
		t.Errorf("%d objects were on their way at a time, want %d at most", most, parallel)
	}
}

// TestFails: an object that cannot be read ends the survey with an error. The survey never leaves it out.
func TestFails(t *testing.T) {
	m := newModel(t, new(checkpointtest.Memory), "parquet")
	m.fill(t)
	keys, err := m.bucket.List(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	injected := errors.New("injected")
	for i, key := range keys {
		for _, fault := range []error{injected, fs.ErrNotExist} {
			b := gated{m.bucket, func(_ context.Context, asked string) error {
				if asked == key {
					return fmt.Errorf("get %s: %w", asked, fault)
				}
				return nil
			}}
			_, err := read.Survey(t.Context(), b, tenant, nil)
			if !errors.Is(err, fault) || !strings.Contains(err.Error(), key) {
				t.Errorf("object %d: %v; want %v of %s", i, err, fault, key)
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := read.Survey(ctx, m.bucket, tenant, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := read.Survey(t.Context(), m.bucket, "a/b", nil); err == nil {
		t.Error("a tenant that no key can have is none of ours")
	}
}
