// Package dedup knows which records were delivered. It is pure: sets are values, and nothing here does I/O.
//
// The memory is small because only the past can repeat. Everything before the cursor is delivered, so a record that is
// stamped at or after the cursor is new whatever its id, even where a restored database hands ids out a second time.
// Only the overlap before the cursor, which is read again to catch late rows, needs ids.
package dedup

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"houndtrail/exporter/bloodhound"
	"houndtrail/exporter/window"
)

// A Set holds the ids of the delivered records that are stamped at or after some instant before the cursor, from which
// on late rows are looked for. The zero value is empty.
type Set struct {
	ids *roaring64.Bitmap // never changed once the Set is made
}

// An Admission says what became of the records of a window.
type Admission struct {
	Fresh     []bloodhound.Record // to be delivered, sorted as they came
	Duplicate int                 // delivered before
	Late      int                 // fresh ones that are older than the window
	MaxID     int64               // highest id among the records of the window proper; 0 where there are none
	Reused    int64               // an id of the window proper that was delivered before, as another record; 0 for none
	Next      Set                 // the set once Fresh is delivered and the cursor stands at the window's end
}

// Admit splits what was read for a window, from the instant on that the set knows, into new and delivered records. The
// next set knows the ids since the instant next. The records must be sorted; Fresh shares their memory and rearranges
// those before the window.
func (s Set) Admit(w window.Window, since time.Time, records []bloodhound.Record) Admission {
	next := s.survivors(w, since)
	first := 0
	for first < len(records) && records[first].CreatedAt.Before(w.Start) {
		first++
	}
	for _, r := range records {
		if r.CreatedAt.Before(since) {
			next.Remove(uint64(r.ID))
		} else {
			next.Add(uint64(r.ID))
		}
	}
	next.RunOptimize() // a sequence without gaps is a few bytes
	a := Admission{Next: Set{next}}
	// Late ones move up against the window's own, so that Fresh is one slice and no record is copied elsewhere.
	keep := first
	for i := first - 1; i >= 0; i-- {
		if s.has(uint64(records[i].ID)) {
			a.Duplicate++
			continue
		}
		keep--
		records[keep] = records[i]
		a.Late++
	}
	for _, r := range records[first:] {
		a.MaxID = max(a.MaxID, r.ID)
		if s.has(uint64(r.ID)) { // nothing of the window was delivered before
			a.Reused = r.ID
		}
	}
	a.Fresh = records[keep:]
	return a
}

// Revisit splits what was read once more of the span since the instant that the set knows into stragglers, which are to be
// delivered, and delivered records. Of those that were met, the next set knows the ids since the instant next. Fresh
// shares the records' memory.
func (s Set) Revisit(since time.Time, records []bloodhound.Record) Admission {
	next := roaring64.New()
	if s.ids != nil {
		next = s.ids.Clone()
	}
	a := Admission{Fresh: records[:0]}
	for _, r := range records {
		if delivered := s.has(uint64(r.ID)); delivered {
			a.Duplicate++
		} else {
			a.Fresh = append(a.Fresh, r)
		}
		if r.CreatedAt.Before(since) {
			next.Remove(uint64(r.ID))
		} else {
			next.Add(uint64(r.ID))
		}
	}
	next.RunOptimize()
	a.Late, a.Next = len(a.Fresh), Set{next}
	return a
}

// survivors is the part of the set that may still matter after the window. Nothing delivered is at or after the old
// cursor, so where the next set begins behind it, nothing is left. Else ids leave as their records are met again
// before that beginning; one that is not met, on a replica that lags, stays rather than being delivered twice.
func (s Set) survivors(w window.Window, since time.Time) *roaring64.Bitmap {
	if s.ids == nil || !since.Before(w.Start) {
		return roaring64.New()
	}
	return s.ids.Clone()
}

func (s Set) has(id uint64) bool { return s.ids != nil && s.ids.Contains(id) }

// Len is how many ids the set holds.
func (s Set) Len() int {
	if s.ids == nil {
		return 0
	}
	return int(s.ids.GetCardinality())
}

// MarshalBinary returns the set in the portable roaring format for 64-bit ids.
func (s Set) MarshalBinary() ([]byte, error) {
	if s.ids == nil {
		return roaring64.New().ToBytes()
	}
	return s.ids.ToBytes()
}

// Parse reads a set that MarshalBinary wrote; no bytes are the empty set.
func Parse(b []byte) (Set, error) {
	if len(b) == 0 {
		return Set{}, nil
	}
	// The library believes the number of parts that the first eight bytes tell, and would make room for all of them.
	if len(b) < 8 || binary.LittleEndian.Uint64(b) > uint64(len(b)) {
		return Set{}, fmt.Errorf("the set of delivered ids is unreadable: %d bytes that are no bitmap", len(b))
	}
	ids := roaring64.New()
	err := ids.UnmarshalBinary(b)
	if err == nil {
		err = ids.Validate()
	}
	if err != nil {
		return Set{}, fmt.Errorf("the set of delivered ids (%d bytes) is unreadable: %w", len(b), err)
	}
	return Set{ids}, nil
}
