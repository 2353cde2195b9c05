package bloodhound

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/houndtrail/houndtrail/config/setting"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/page"
)

// maxHoles is the limit for the holes of one span. If there are more, the server has changed: the problem is not a few bad
// rows.
const maxHoles = 64

// A BadRecordError is about a row that Houndtrail cannot export: the server cannot print it, or the printed element is no
// record.
type BadRecordError struct {
	CreatedAt time.Time // zero if it is not known
	ID        int64     // 0 if it is not known
	Position  string    // the place of the row: its number within its instant, or the request that the server answered with it
	Cause     error     // the server's answer, or the fault of the record
	Raw       []byte    // exactly as served; nil if the server never showed it

	byHand bool // a person asked for the row, not an export
}

// Error names the row, the cause, and what to do.
func (e *BadRecordError) Error() string {
	fault := "is one that the server cannot print, although it answers for the rows around it"
	row, keeps := "an instant that is not known", ""
	if !e.CreatedAt.IsZero() {
		row = page.FormatTime(e.CreatedAt)
	}
	row = "created at " + row
	if e.Raw != nil {
		fault, keeps = "is not one that Houndtrail can keep", " that keeps its bytes"
	}
	if e.ID != 0 {
		row = fmt.Sprintf("with id %d, %s", e.ID, row)
	}
	said := fmt.Sprintf("the row %s (%s) %s: %v", row, e.Position, fault, e.Cause)
	if e.byHand {
		return said + ". Ask for what is older than it, or newer, or repair the row in BloodHound's database (table audit_logs, by " +
			"created_at)"
	}
	return fmt.Sprintf("%s. The export stops in front of it, and loses nothing. Repair the row in BloodHound's database (table "+
		"audit_logs, by created_at), or set %s=quarantine to go on with a hole in the journal%s", said, setting.OnBadRecord, keeps)
}

// Unwrap is the server's answer, or the fault of the record.
func (e *BadRecordError) Unwrap() error { return e.Cause }

// A Hole is a bad row of a span. The client goes on without such rows, so the [Batch] has no record for it. See
// [Options.Quarantine].
type Hole struct {
	CreatedAt time.Time // zero if it cannot be read
	ID        int64     // 0 if it is not known
	Reason    string    // on one line
	Raw       []byte    // exactly as served; nil if the server never showed it
}

// Without Options.Quarantine there are no Holes, except for a record that is larger than Options.MaxBody.
func (b *batch) Holes() []Hole {
	holes := slices.Concat(b.unprinted, b.refused)
	slices.SortStableFunc(holes, func(x, y Hole) int {
		return cmp.Or(x.CreatedAt.Compare(y.CreatedAt), cmp.Compare(x.ID, y.ID))
	})
	return holes
}

// refuse handles the elements of a page that are no records. With quarantine, all of them are holes; without it, the first one
// is an error.
func (b *batch) refuse(p arrival, bad []page.Refused, quarantine bool) error {
	for i := range bad {
		r := &bad[i]
		e := badRecord(r, p.target)
		if !quarantine {
			return e
		}
		if slices.ContainsFunc(b.refused, func(h Hole) bool { return bytes.Equal(h.Raw, r.Raw) }) {
			continue // two neighbouring pages share the row at their edge
		}
		reason := r.Fault.Error()
		if r.CreatedAt.IsZero() {
			reason += fmt.Sprintf("; it was served as created from %s to %s", page.FormatTime(p.after), page.FormatTime(p.before))
		}
		if len(b.refused) == maxHoles {
			return tooManyHoles(e)
		}
		b.refused = append(b.refused, Hole{CreatedAt: e.CreatedAt, ID: e.ID, Reason: reason, Raw: e.Raw})
	}
	return nil
}

// badRecord is the error about an element that is no record, in the answer to a request for the target.
func badRecord(r *page.Refused, target string) *BadRecordError {
	return &BadRecordError{
		CreatedAt: r.CreatedAt, ID: r.Fault.ID, Cause: r.Fault, Raw: bytes.Clone(r.Raw), Position: "in the answer to GET " + target,
	}
}

// position says which row of its instant the server cannot print.
func position(n int, order []string) string {
	if slices.Equal(order, NewestFirst()) {
		return fmt.Sprintf("row %d of its instant, the highest id first", n)
	}
	return fmt.Sprintf("row %d of its instant, in the order asked for", n)
}

func tooManyHoles(next error) error {
	return fmt.Errorf("more than %d rows of the window are bad, which is no longer a matter of single rows, so nothing of it is "+
		"used: if the server was upgraded, look for a newer Houndtrail; if its database was damaged, repair the rows (table "+
		"audit_logs). The next of them: %w", maxHoles, next)
}

// suspects holds the instants with rows that the server could not print. So Houndtrail searches for each of them only once.
// When it holds many, it forgets the oldest entry.
type suspects struct {
	mu    sync.Mutex
	known []time.Time
}

func (s *suspects) add(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.ContainsFunc(s.known, at.Equal) {
		return
	}
	if len(s.known) == maxHoles {
		s.known = slices.Delete(s.known, 0, 1)
	}
	s.known = append(s.known, at)
}

func (s *suspects) forget(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known = slices.DeleteFunc(s.known, at.Equal)
}

// newest returns the newest known instant of a span, both ends included.
func (s *suspects) newest(after, before time.Time) (at time.Time, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.known {
		if !t.Before(after) && !t.After(before) && (!ok || t.After(at)) {
			at, ok = t, true
		}
	}
	return at, ok
}
