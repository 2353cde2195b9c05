package dedup

import (
	"cmp"
	"slices"
	"time"

	"github.com/houndtrail/houndtrail/exporter/record"
)

// rows are the records read for a span, sorted by time.
type rows interface {
	size() int
	name(i int) Ref
	mark(i int, by *marker) uint16
}

type records []record.Record

func (r records) size() int                     { return len(r) }
func (r records) name(i int) Ref                { return Ref{r[i].ID, r[i].CreatedAt} }
func (r records) mark(i int, by *marker) uint16 { return by.mark(&r[i]) }

// A Skim is what Houndtrail keeps of a record if the span does not fit into memory. It is enough to tell whether the record was
// delivered before, and whether it has changed since.
type Skim struct {
	ID     int64
	micros int64 // created_at, since the epoch
	mark   uint16
	// Own and Filtered are what the caller says of the record: it is the trace of our own requests, the filter leaves it out.
	Own, Filtered bool
}

// Name returns the name of the record.
func (s Skim) Name() Ref { return Ref{s.ID, time.UnixMicro(s.micros).UTC()} }

// Compare orders skims as records are, by (created_at, id).
func (s Skim) Compare(other Skim) int {
	return cmp.Or(cmp.Compare(s.micros, other.micros), cmp.Compare(s.ID, other.ID))
}

// Find returns the index of a record among sorted skims.
func Find(skims []Skim, id int64, createdAt time.Time) (i int, found bool) {
	return slices.BinarySearchFunc(skims, Skim{ID: id, micros: createdAt.UnixMicro()}, Skim.Compare)
}

type skims []Skim

func (s skims) size() int                    { return len(s) }
func (s skims) name(i int) Ref               { return s[i].Name() }
func (s skims) mark(i int, _ *marker) uint16 { return s[i].mark }

// A Skimmer makes skims, and keeps the memory that it needs for one.
type Skimmer struct{ marker marker }

// Skim returns the skim of a record.
func (s *Skimmer) Skim(r *record.Record) Skim {
	return Skim{ID: r.ID, micros: r.CreatedAt.UnixMicro(), mark: s.marker.mark(r)}
}

// AdmitSkims is Admit for a span of which Houndtrail keeps only skims. fresh shares the memory of read, and rearranges it;
// Admission.Fresh stays empty.
func (s Set) AdmitSkims(span Span, read []Skim) (a Admission, fresh []Skim) {
	a, isFresh := s.admit(span, skims(read))
	return a, gather(read, isFresh)
}

// gather moves the fresh ones to the end, so that they are one slice. As a rule, all delivered ones are at the front. Then
// gather copies no record of the window.
func gather[T any](all []T, fresh []bool) []T {
	at := len(all)
	for i, isFresh := range slices.Backward(fresh) {
		if !isFresh {
			continue
		}
		if at--; at != i {
			all[at] = all[i]
		}
	}
	return all[at:]
}
