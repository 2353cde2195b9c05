package source

import (
	"maps"
	"slices"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/archive/read"
	"github.com/houndtrail/houndtrail/sink/archive/verify"
)

// An Account keeps the facts of the journals about the archive's days. It is a [verify.Watcher]. Its size depends on the days and
// the holes, and not on the records.
type Account struct {
	of      map[string]verify.Journal
	begun   map[string]bool
	tenants map[string]bool

	records map[int64]int64 // by day
	ahead   map[int64]int64 // the part of records that was delivered before its time
	left    map[int64]int64 // records that the archive lacks for a reason: holes, and those that the stream leaves out
	holes   map[checkpoint.Record]bool
	known   int64 // the sum of records

	start, cursor time.Time
	backfilled    []window.Window
	forgotten     time.Time         // a removal on purpose took the older records
	reset         checkpoint.Stored // the newest one
	unplaced      []window.Window   // times for which the journal does not tell the days of the records
}

// NewAccount is the account of these journals.
func NewAccount(journals ...verify.Journal) *Account {
	a := &Account{
		of: map[string]verify.Journal{}, begun: map[string]bool{}, tenants: map[string]bool{}, records: map[int64]int64{},
		ahead: map[int64]int64{}, left: map[int64]int64{}, holes: map[checkpoint.Record]bool{},
	}
	for _, j := range journals {
		a.of[j.Name] = j
	}
	return a
}

// Object ignores the records: the entries are enough.
func (*Account) Object() (each func(*record.Record), sound func()) {
	return func(*record.Record) {}, func() {}
}

// Entry adds an entry. The entries of one journal come in order.
func (a *Account) Entry(e checkpoint.Stored) {
	journal, ok := a.of[e.Stream]
	if !ok || !journal.Files {
		return
	}
	a.tenants[e.Tenant] = true
	if !a.begun[e.Stream] && e.Serial > 1 { // the earlier entries were pruned
		a.unplaced = append(a.unplaced, window.Window{Start: e.Start, End: e.Cursor})
		a.unplaced = append(a.unplaced, e.Covered...)
	}
	a.begun[e.Stream] = true
	if journal.AnyOrder {
		a.backfilled = e.Covered
	} else {
		a.start, a.cursor = e.Start, e.Cursor
	}
	if e.ForgottenBefore.After(a.forgotten) {
		a.forgotten = e.ForgottenBefore
	}
	if e.Reset != nil {
		a.reset = checkpoint.Stored{Checkpoint: checkpoint.Checkpoint{Serial: e.Serial, CommittedAt: e.CommittedAt, Reset: e.Reset}}
	}
	a.objects(&e.Checkpoint)
	a.leave(&e.Checkpoint)
	if e.Adopted != nil && e.Adopted.Records > a.known {
		begin := e.Start
		if from := e.Adopted.From; !from.IsZero() && from.Before(begin) {
			begin = from
		}
		a.unplaced = append(a.unplaced, window.Window{Start: begin, End: later(e.Cursor, e.Adopted.To)})
	}
}

// objects adds the number of records of each day.
func (a *Account) objects(e *checkpoint.Checkpoint) {
	for _, o := range e.Objects {
		key, ok := read.Parse(o.Key)
		if !ok {
			continue // there is already a finding
		}
		n := int64(o.Records)
		if e.Compacted != nil { // its records are not new
			n = -int64(e.Compacted.Duplicates)
		}
		day := dayOf(key.Day)
		a.records[day] += n
		a.known += n
		if e.Kind == checkpoint.KindAhead {
			a.ahead[day] += n
		}
	}
}

// mostHoles bounds the memory for the holes. Beyond that number, a hole that comes again counts again.
const mostHoles = 100_000

// leave adds the records that are not in the archive, by the words of the journal. A search finds the same hole again and again.
func (a *Account) leave(e *checkpoint.Checkpoint) {
	for _, h := range e.Holes {
		name := checkpoint.Record{ID: h.ID, CreatedAt: h.CreatedAt.UTC()}
		if a.holes[name] {
			continue
		}
		if len(a.holes) < mostHoles {
			a.holes[name] = true
		}
		a.left[dayOf(h.CreatedAt)]++
	}
	if e.Records.Excluded > 0 { // the entry does not tell the day of each one
		for day := dayOf(e.Window.Start); !date(day).After(e.Window.End); day++ {
			a.left[day] += int64(e.Records.Excluded)
		}
	}
}

// days returns the days with records, in order.
func (a *Account) days() []int64 { return slices.Sorted(maps.Keys(a.records)) }

// uncertain tells whether the journal does not know the number of records of a day.
func (a *Account) uncertain(day int64) bool {
	of := window.Window{Start: date(day), End: date(day + 1)}
	return slices.ContainsFunc(a.unplaced, func(w window.Window) bool { return w.Intersect(of).Span() > 0 })
}

// dayOf is the number of a day in UTC.
func dayOf(t time.Time) int64 {
	const seconds = 24 * 60 * 60
	n := t.Unix() / seconds
	if t.Unix()%seconds < 0 {
		n--
	}
	return n
}

// date is the beginning of the day of that number.
func date(day int64) time.Time { return time.Unix(day*24*60*60, 0).UTC() }

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
