package checkpoint

import (
	"cmp"
	"slices"

	"github.com/houndtrail/houndtrail/exporter/window"
)

// account fills in the sums over the journal: the totals and, if windows may come in any order, the time that they cover
// together.
func (j *Journal) account(prev Stored, next Checkpoint) Checkpoint {
	next.Totals = prev.Totals
	next.Totals.Delivered += int64(next.Records.Fresh)
	if a := next.Adopted; a != nil { // whatever the lost entries said
		next.Totals.Delivered, next.Totals.Objects, next.Totals.Bytes = a.Records, int64(a.Objects), a.Bytes
	}
	for _, o := range next.Objects {
		next.Totals.Objects++
		next.Totals.Bytes += o.Bytes
	}
	if next.Kind == KindExport || next.Kind == KindHistory {
		next.Totals.count(next.ServerCount, int64(next.Records.Read))
	}
	next.HolesTotal, next.HoledAt = prev.HolesTotal+int64(len(next.Holes)), prev.HoledAt
	if len(next.Holes) > 0 {
		next.HoledAt = next.CommittedAt
	}
	next.ChangedTotal = prev.ChangedTotal
	if next.Changed != nil {
		next.ChangedTotal += int64(next.Changed.Altered) + int64(next.Changed.Gone)
	}
	next.Covered = nil
	if j.scattered {
		next.Covered = union(prev.Covered, next.Window)
	}
	return next
}

// count adds the records that were read of a window.
func (t *Totals) count(counted *ServerCount, read int64) {
	status := CountUnknown
	if counted != nil {
		status = counted.Status
	}
	switch status {
	case CountExact:
		t.Exact += read
	case CountBounded:
		t.Bounded += read
	default:
		t.Unknown += read
	}
}

// union adds a window to the covered ones. The result is sorted, and windows that touch become one.
func union(covered []window.Window, w window.Window) []window.Window {
	if !w.Start.Before(w.End) {
		return covered
	}
	all := append(slices.Clone(covered), window.Window{Start: w.Start.UTC(), End: w.End.UTC()})
	slices.SortFunc(all, func(a, b window.Window) int { return cmp.Or(a.Start.Compare(b.Start), a.End.Compare(b.End)) })
	joined := all[:1]
	for _, w := range all[1:] {
		switch last := &joined[len(joined)-1]; {
		case w.Start.After(last.End):
			joined = append(joined, w)
		case w.End.After(last.End):
			last.End = w.End
		}
	}
	return joined
}
