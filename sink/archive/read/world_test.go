package read_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/page"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/archive"
	"github.com/houndtrail/houndtrail/sink/archive/read"
	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/parquet"
	"github.com/houndtrail/houndtrail/sink/sinktest"
)

const tenant = "acme.example"

var (
	day1 = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

	encoders = map[string]func() archive.Encoder{
		"parquet":     func() archive.Encoder { return parquet.NewEncoder(parquet.Metadata{Tenant: tenant, Version: "1.2.3"}) },
		"ndjson":      func() archive.Encoder { return ndjson.NewEncoder(tenant, ndjson.Gzip) },
		"ndjson-zstd": func() archive.Encoder { return ndjson.NewEncoder(tenant, ndjson.Zstd) },
	}
)

// A tester is a test of package testing or of package rapid.
type tester interface {
	Helper()
	Context() context.Context
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// A model is an archive, with the expected result of its survey.
type model struct {
	bucket   bucket.Bucket
	archive  *archive.Archive
	encoding string
	ends     bool // the objects tell the ends of their windows

	records []checkpoint.Record // each one as often as it was written
	want    read.Found
}

func newModel(t tester, b bucket.Bucket, encoding string) *model {
	t.Helper()
	a, err := archive.New(b, tenant, encoders[encoding])
	if err != nil {
		t.Fatalf("%v", err)
	}
	return &model{bucket: b, archive: a, encoding: encoding, ends: encoding == "parquet"}
}

// recordAt is a record with only an id and an instant.
func recordAt(id int64, at time.Time) record.Record {
	return record.Record{ID: id, CreatedAt: at, Raw: fmt.Sprintf(`{"id":%d}`, id)}
}

// write writes a window, and notes its records.
func (m *model) write(t tester, w window.Window, records ...record.Record) {
	t.Helper()
	records = page.Sort(slices.Clone(records))
	receipt, err := sinktest.Write(t.Context(), m.archive, w, records)
	if err != nil {
		t.Fatalf("write: %v", err)
	}
	if len(records) == 0 {
		return
	}
	for _, o := range receipt.Objects {
		m.want.Objects++
		m.want.Bytes += o.Bytes
	}
	for _, r := range records {
		m.records = append(m.records, checkpoint.Record{ID: r.ID, CreatedAt: r.CreatedAt})
	}
	end := w.End
	if !m.ends {
		end, w.End = records[len(records)-1].CreatedAt.Add(time.Microsecond), time.Time{}
	}
	order := func(a, b window.Window) int { return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.Pass, b.Pass)) }
	if m.want.FirstWindow == (window.Window{}) || order(w, m.want.FirstWindow) < 0 {
		m.want.FirstWindow = w
	}
	if m.want.LastWindow == (window.Window{}) || order(w, m.want.LastWindow) > 0 {
		m.want.LastWindow = w
	}
	m.want.MaxPass = max(m.want.MaxPass, w.Pass)
	m.want.From = m.want.FirstWindow.Start
	if end.After(m.want.To) {
		m.want.To = end
	}
}

func compare(a, b checkpoint.Record) int {
	return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
}

// expect is the expected result of a survey, except for the examples of duplicates.
func (m *model) expect() read.Found {
	want := m.want
	want.Records = int64(len(m.records))
	if want.Records == 0 {
		return want
	}
	want.Encodings = []string{m.encoding}
	slices.SortFunc(m.records, compare)
	want.Newest = m.records[len(m.records)-1]
	want.MinCreatedAt, want.MaxCreatedAt = m.records[0].CreatedAt, want.Newest.CreatedAt
	want.MinID, want.MaxID, want.MaxPass = m.records[0].ID, m.records[0].ID, m.want.MaxPass
	for i, r := range m.records {
		want.MinID, want.MaxID = min(want.MinID, r.ID), max(want.MaxID, r.ID)
		if i > 0 && compare(m.records[i-1], r) == 0 {
			want.Duplicates++
		}
	}
	return want
}
