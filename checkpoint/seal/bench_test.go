package seal_test

import (
	"testing"

	"github.com/houndtrail/houndtrail/checkpoint/seal"
)

func BenchmarkReadEntry(b *testing.B) {
	body := line(b, newest)
	for b.Loop() {
		if _, err := seal.ReadEntry(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNewEntry(b *testing.B) {
	body := line(b, newest)
	s := entry(b, newest).Seal
	for b.Loop() {
		if _, err := seal.NewEntry(body, newest, s); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSignedBy(b *testing.B) {
	e := entry(b, newest)
	for b.Loop() {
		if _, err := e.SignedBy(public(1), public(2)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	body := vector(b, "proof.json")
	for b.Loop() {
		p, err := seal.ReadBundle(body)
		if err == nil {
			_, err = p.Check(public(1), public(2))
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRow measures the cost of the records_root for each record.
func BenchmarkRow(b *testing.B) {
	r := records()[2]
	var columns []*string
	for range 9 {
		columns = append(columns, &r.Fields)
	}
	var rows seal.Rows
	b.ReportAllocs()
	for b.Loop() {
		rows.Add(r.ID, r.CreatedAt.UnixMicro(), columns...)
	}
}
