package search_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/page"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/archive"
	"github.com/houndtrail/houndtrail/sink/archive/read"
	"github.com/houndtrail/houndtrail/sink/archive/search"
	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/parquet"
	"github.com/houndtrail/houndtrail/sink/sinktest"
)

const tenant = "acme.example"

var (
	day1 = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	end  = day1.AddDate(1, 0, 0)

	encoders = map[string]func() archive.Encoder{
		"parquet": func() archive.Encoder { return parquet.NewEncoder(parquet.Metadata{Tenant: tenant, Version: "1.2.3"}) },
		"ndjson":  func() archive.Encoder { return ndjson.NewEncoder(tenant, ndjson.Gzip) },
		"zstd":    func() archive.Encoder { return ndjson.NewEncoder(tenant, ndjson.Zstd) },
	}
)

// A tester is a test of package testing or of package rapid.
type tester interface {
	Helper()
	Context() context.Context
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// A world is an archive, and its records in order.
type world struct {
	tester

	bucket  *checkpointtest.Faulty
	encoder string
	records []record.Record
}

func newWorld(t tester, encoder string) *world {
	return &world{tester: t, bucket: checkpointtest.NewFaulty(new(checkpointtest.Memory)), encoder: encoder}
}

// parse is the parser that the command gives to a search.
func parse(served string) (record.Record, error) {
	p, err := page.Parse([]byte(`{"data":{"logs":[`+served+`]}}`), nil, nil)
	if err == nil && len(p.Records) != 1 {
		err = fmt.Errorf("%d records", len(p.Records))
	}
	if err != nil {
		return record.Record{}, err
	}
	return p.Records[0], nil
}

// recordOf is a record with the columns of its Raw.
func recordOf(t tester, id int64, at time.Time, rest string) record.Record {
	t.Helper()
	r, err := parse(fmt.Sprintf(`{"id":%d,"created_at":%q%s}`, id, at.Format(time.RFC3339Nano), rest))
	if err != nil {
		t.Fatalf("%v", err)
	}
	return r
}

// write writes a window.
func (w *world) write(start time.Time, records ...record.Record) {
	w.Helper()
	a, err := archive.New(w.bucket, tenant, encoders[w.encoder])
	if err != nil {
		w.Fatalf("%v", err)
	}
	records = page.Sort(slices.Clone(records))
	if _, err := sinktest.Write(w.Context(), a, window.Window{Start: start, End: start.Add(time.Hour)}, records); err != nil {
		w.Fatalf("write: %v", err)
	}
	w.records = page.Sort(append(w.records, records...))
}

// compactedTwin writes one more object with all records of a day, like a compaction that dies before it deletes the others.
func (w *world) compactedTwin(at time.Time) {
	w.Helper()
	var records []record.Record
	for _, r := range w.records {
		if r.CreatedAt.Truncate(24 * time.Hour).Equal(at) {
			records = append(records, r)
		}
	}
	if len(records) == 0 {
		return
	}
	o := read.Object{Tenant: tenant, Day: at, Start: at, Compacted: 1, Extension: encoders[w.encoder]().Extension()}
	w.put(o.Key(), w.encode(at, records))
}

func (w *world) encode(start time.Time, records []record.Record) []byte {
	w.Helper()
	var b bytes.Buffer
	if err := encoders[w.encoder]().Encode(&b, window.Window{Start: start, End: start.Add(time.Hour)}, records); err != nil {
		w.Fatalf("%v", err)
	}
	return b.Bytes()
}

func (w *world) put(key string, body []byte) {
	w.Helper()
	_, version, _, _ := w.bucket.Bucket.Get(w.Context(), key)
	if _, err := w.bucket.Bucket.Put(w.Context(), key, body, version); err != nil {
		w.Fatalf("%v", err)
	}
}

func (w *world) keys() []string {
	w.Helper()
	keys, err := w.bucket.List(w.Context(), "", "")
	if err != nil {
		w.Fatalf("%v", err)
	}
	return keys
}

// run searches, and returns the found records.
func (w *world) run(o search.Options) (found []record.Record, a search.Answer, err error) {
	w.Helper()
	o.Files, o.Tenant, o.Line = bucket.Opener(w.bucket), tenant, parse
	if o.Before.IsZero() {
		o.Before = end
	}
	if o.Limit == 0 {
		o.Limit = 1_000_000
	}
	o.Each = func(r *record.Record) error {
		found = append(found, *r)
		return nil
	}
	a, err = search.Run(w.Context(), o)
	if err == nil && a.Records != len(found) {
		w.Errorf("%d records came, and the answer says %d", len(found), a.Records)
	}
	return found, a, err
}

// find is run for a search without a problem.
func (w *world) find(o search.Options) []record.Record {
	w.Helper()
	found, a, err := w.run(o)
	if err != nil || a.Problems != nil {
		w.Fatalf("search: %v, %v", err, a.Problems)
	}
	return found
}

func ids(records []record.Record) (all []int64) {
	for _, r := range records {
		all = append(all, r.ID)
	}
	return all
}

// fill writes n days of three windows, with records of all kinds.
func fill(t testing.TB, w *world, days int) {
	t.Helper()
	for d := range days {
		at := day1.AddDate(0, 0, d)
		w.write(at.Add(time.Hour), sinktest.Generate(t, int64(1000*d+1), 20, at.Add(time.Hour), time.Minute)...)
		late := sinktest.Generate(t, int64(1000*d+101), 5, at.Add(30*time.Minute), 10*time.Minute)
		w.write(at.Add(3*time.Hour), append(late, sinktest.Generate(t, int64(1000*d+201), 9, at.Add(3*time.Hour), 7*time.Second)...)...)
	}
}
