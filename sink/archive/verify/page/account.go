package page

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/archive/read"
	"github.com/houndtrail/houndtrail/sink/archive/verify"
)

// mostEvents is the largest number of events, and of holes, that a page lists.
const mostEvents = 200

// An Account is a [verify.Watcher]: it gets the entries and the records of a verification, and keeps the facts for a page. Its size
// depends on the days and the names, and not on the records.
type Account struct {
	archive, receiver *destination
	of                map[string]verify.Journal

	mu    sync.Mutex // guards names
	names *names
}

// NewAccount makes the account of these journals. With people, it also keeps the names of actors.
func NewAccount(people bool, journals ...verify.Journal) *Account {
	a := &Account{archive: newDestination(), receiver: newDestination(), of: map[string]verify.Journal{}, names: newNames(people)}
	for _, j := range journals {
		a.of[j.Name] = j
	}
	return a
}

// A destination has one account of time: the time of its own journal and of its backfill's journal.
type destination struct {
	covered          spans           // the time that entries account for
	bounded, unknown spans           // the part of it for which the server's count is not exact
	backfilled       spans           // the part of it for which a backfill accounts
	start, cursor    time.Time       // of its own journal
	records          map[int64]int64 // by day
	known            int64           // their sum
	sources          map[string]string

	excluded, changed     int64
	filtered, paired      int64
	compactions, replaced int64
	unplaced              int64 // records that an adoption counts, and that no earlier entry named
	holed, forgotten      map[int64]bool
	holes                 []hole
	moreHoles, moreEvents int
	events                []event
	sample                *checkpoint.Object // an object, by the newest entry that names one
	sampled               uint64             // the serial of that entry
}

// An event is an entry with which a person changed the course of a journal: a reset, a move, an adoption or a removal.
type event struct {
	At      time.Time
	Journal string
	Serial  uint64
	What    string
}

// A hole is a record that Houndtrail could not take.
type hole struct {
	checkpoint.Hole
	Journal string
	Serial  uint64
}

func newDestination() *destination {
	return &destination{records: map[int64]int64{}, holed: map[int64]bool{}, forgotten: map[int64]bool{}, sources: map[string]string{}}
}

// Entry adds an entry.
func (a *Account) Entry(e checkpoint.Stored) {
	journal := a.of[e.Stream]
	d := a.receiver
	if journal.Files {
		d = a.archive
	}
	d.sources[e.Stream] = e.Source
	if !journal.AnyOrder {
		d.start, d.cursor = e.Start, e.Cursor
	} else if e.Window.Span() > 0 {
		d.backfilled.add(e.Window)
	}
	d.time(&e.Checkpoint)
	d.happened(&e.Checkpoint)
	d.excluded += int64(e.Records.Excluded)
	d.filtered += int64(e.Records.Filtered)
	d.paired += int64(e.Records.Paired + e.Records.Matched)
	if e.Changed != nil {
		d.changed += int64(e.Changed.Altered + e.Changed.Gone)
	}
	if journal.Files {
		d.objects(&e.Checkpoint, journal)
	}
}

// time notes the time for which an entry accounts, and whether the server's count of it is exact. A search that finds no new record
// changes nothing. A search that finds one needs a count of its own, because the day now has more records than the count of its
// first window.
func (d *destination) time(e *checkpoint.Checkpoint) {
	counts := false
	switch e.Kind {
	case checkpoint.KindExport, checkpoint.KindHistory:
		d.covered.add(e.Window)
		counts = true
	case checkpoint.KindRescan, checkpoint.KindAhead:
		counts = e.Records.Fresh > 0
	case checkpoint.KindAdopt: // the earlier entries no longer count, and the archive's files tell no count
		begin := e.Start
		if from := e.Adopted.From; !from.IsZero() && from.Before(begin) {
			begin = from
		}
		all := window.Window{Start: begin, End: e.Cursor}
		d.covered.add(all)
		d.unknown.add(all)
		return
	default: // the other kinds account for no time
	}
	if !counts {
		return
	}
	status := checkpoint.CountUnknown
	if e.ServerCount != nil {
		status = e.ServerCount.Status
	}
	of := []window.Window{e.Window}
	for _, o := range e.Objects { // a record can be older than its window
		of = append(of, window.Window{Start: o.MinCreatedAt, End: o.MaxCreatedAt.Add(time.Microsecond)})
	}
	for _, w := range of {
		switch status {
		case checkpoint.CountExact:
		case checkpoint.CountBounded:
			d.bounded.add(w)
		default:
			d.unknown.add(w)
		}
	}
}

// objects notes the number of records of each day, and an object to check by hand.
func (d *destination) objects(e *checkpoint.Checkpoint, of verify.Journal) {
	for _, o := range e.Objects {
		key, ok := read.Parse(o.Key)
		if !ok {
			continue // there is already a finding
		}
		n := int64(o.Records)
		if e.Compacted != nil { // its records are not new
			n = -int64(e.Compacted.Duplicates)
		}
		d.records[day(key.Day)] += n
		d.known += n
		if !of.AnyOrder { // a compaction replaces the objects of a backfill, and has an object itself
			d.sample, d.sampled = &o, e.Serial
		}
	}
	for _, h := range e.Holes {
		d.holed[day(h.CreatedAt)] = true
	}
	if e.Compacted != nil {
		d.compactions++
		d.replaced += int64(len(e.Compacted.Replaced))
	}
	if e.Forgotten != nil {
		for _, r := range e.Forgotten.Removed {
			if key, ok := read.Parse(r.Key); ok {
				d.forgotten[day(key.Day)] = true
			}
		}
	}
	if e.Adopted != nil {
		d.unplaced = max(e.Adopted.Records-d.known, 0)
	}
}

// happened notes the events and the holes.
func (d *destination) happened(e *checkpoint.Checkpoint) {
	for _, h := range e.Holes {
		if len(d.holes) == mostEvents {
			d.moreHoles++
			continue
		}
		d.holes = append(d.holes, hole{h, e.Stream, e.Serial})
	}
	var what string
	switch {
	case e.Reset != nil:
		what = "Reset: a person accepted another source or another state of it. Reason: " + e.Reset.Reason
	case e.Moved != nil:
		what = moved(e) + " Reason: " + e.Moved.Reason
	case e.Adopted != nil:
		what = fmt.Sprintf("Adoption: the journal was lost, and its position was rebuilt from the archive's files (%s objects, %s records). "+
			"The earlier entries do not count any more. Reason: %s", comma(int64(e.Adopted.Objects)), comma(e.Adopted.Records), e.Adopted.Reason)
	case e.Forgotten != nil: // without the person's name: the journal has it
		what = fmt.Sprintf("Removal on purpose: %s objects with %s records of days before %s. Reason: %s", comma(int64(len(e.Forgotten.Removed))),
			comma(int64(e.Forgotten.Records)), e.Forgotten.Before.Format(time.DateOnly), e.Forgotten.Reason)
	default:
		return
	}
	if len(d.events) == mostEvents {
		d.moreEvents++
		return
	}
	d.events = append(d.events, event{e.CommittedAt, e.Stream, e.Serial, what})
}

// moved says which names a move changed.
func moved(e *checkpoint.Checkpoint) string {
	var changes []string
	for _, name := range []struct{ what, from, to string }{
		{"tenant", e.Moved.From.Tenant, e.Tenant},
		{"source", e.Moved.From.Source, e.Source},
		{"destination", e.Moved.From.Destination, e.Destination},
		{"encoding", e.Moved.From.Encoding, e.Encoding},
	} {
		if name.from != name.to {
			changes = append(changes, fmt.Sprintf("%s %s became %s", name.what, name.from, name.to))
		}
	}
	return "Move: " + strings.Join(changes, ", ") + "."
}

// Object returns the functions that count the records of one object.
func (a *Account) Object() (each func(*record.Record), sound func()) {
	own := newNames(a.names.people)
	return own.add, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.names.merge(own)
	}
}

// day is the number of a day in UTC.
func day(t time.Time) int64 {
	const seconds = 24 * 60 * 60
	n := t.Unix() / seconds
	if t.Unix()%seconds < 0 {
		n--
	}
	return n
}

// date is the day of that number.
func date(day int64) time.Time { return time.Unix(day*24*60*60, 0).UTC() }

// spans are times in order that neither overlap nor touch.
type spans []window.Window

// add adds a time. Most times begin at the end of the previous one.
func (s *spans) add(w window.Window) {
	if !w.Start.Before(w.End) {
		return
	}
	all := *s
	first, _ := slices.BinarySearchFunc(all, w.Start, func(has window.Window, t time.Time) int { return has.End.Compare(t) })
	last := first
	for last < len(all) && !all[last].Start.After(w.End) {
		if all[last].Start.Before(w.Start) {
			w.Start = all[last].Start
		}
		if all[last].End.After(w.End) {
			w.End = all[last].End
		}
		last++
	}
	*s = slices.Replace(all, first, last, window.Window{Start: w.Start, End: w.End})
}

// within returns the parts of the spans that are in a window.
func (s *spans) within(w window.Window) (parts []window.Window) {
	all := *s
	at, _ := slices.BinarySearchFunc(all, w.Start, func(has window.Window, t time.Time) int { return has.End.Compare(t) })
	for ; at < len(all) && all[at].Start.Before(w.End); at++ {
		if part := all[at].Intersect(w); part.Start.Before(part.End) {
			parts = append(parts, part)
		}
	}
	return parts
}
