package verify

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/archive"
	"github.com/houndtrail/houndtrail/sink/archive/read"
)

// A problem is a finding about an entry.
type problem struct {
	code Code
	text string
}

func problemf(code Code, format string, args ...any) problem {
	return problem{code, fmt.Sprintf(format, args...)}
}

// accounts compares an entry with the previous one: the sums, and the time for which both account. before is the zero value if the
// entry is the first one.
func accounts(before, e checkpoint.Checkpoint, anyOrder bool) (problems []problem) {
	if text := sums(before, e, anyOrder); text != "" {
		problems = append(problems, problem{EntryCounts, text})
	}
	if before.Serial == 0 || e.Kind == checkpoint.KindAdopt {
		return problems
	}
	if anyOrder {
		return append(problems, overlaps(before, e)...)
	}
	return append(problems, joins(before, e)...)
}

// sums compares the sums of an entry with the sums of the previous entry and its own counts.
func sums(before, e checkpoint.Checkpoint, anyOrder bool) string {
	want := checkpoint.Account(before, e, anyOrder)
	switch {
	case e.Totals != want.Totals:
		return fmt.Sprintf("Entry %d has the totals %+v, and the entries up to it add up to %+v.", e.Serial, e.Totals, want.Totals)
	case e.HolesTotal != want.HolesTotal || !e.HoledAt.Equal(want.HoledAt):
		return fmt.Sprintf("Entry %d counts %d holes in all, and the entries up to it have %d.", e.Serial, e.HolesTotal, want.HolesTotal)
	case e.ChangedTotal != want.ChangedTotal:
		return fmt.Sprintf("Entry %d counts %d changed records in all, and the entries up to it have %d.",
			e.Serial, e.ChangedTotal, want.ChangedTotal)
	case e.Kind != checkpoint.KindAdopt && len(e.Waiting) != len(before.Waiting)+e.Records.Held-e.Records.Matched-e.Records.Released:
		return fmt.Sprintf("Entry %d says that %d intents wait for their outcomes, and by its counts it must be %d.", e.Serial, len(e.Waiting),
			len(before.Waiting)+e.Records.Held-e.Records.Matched-e.Records.Released)
	case !slices.EqualFunc(e.DeadLetters, want.DeadLetters, sameLetter):
		return fmt.Sprintf("Entry %d says that %d letters are in the dead letter, and the entries up to it make others (%d).", e.Serial,
			len(e.DeadLetters), len(want.DeadLetters))
	case !e.ForgottenBefore.Equal(want.ForgottenBefore):
		return fmt.Sprintf("Entry %d says that records of before %s were removed, and the entries up to it say %s.", e.Serial,
			stamp(e.ForgottenBefore), stamp(want.ForgottenBefore))
	case !slices.EqualFunc(e.Covered, want.Covered, window.Window.Equal):
		return fmt.Sprintf("Entry %d says that the entries up to it account for %s, and they account for %s.",
			e.Serial, windows(e.Covered), windows(want.Covered))
	}
	return ""
}

func windows(all []window.Window) string {
	var texts []string
	for _, w := range all {
		texts = append(texts, stamp(w.Start)+" to "+stamp(w.End))
	}
	if len(texts) == 0 {
		return "no time"
	}
	return strings.Join(texts, ", ")
}

// joins checks that two entries leave out no time between them, and that no time has two entries. An export begins at the position
// and moves it. A history continues from its own position. A reset may set the position back. All other kinds leave the position
// unchanged.
func joins(before, e checkpoint.Checkpoint) (problems []problem) {
	at := e.Cursor // the position at the beginning of the entry, by its own words
	switch e.Kind {
	case checkpoint.KindExport:
		at = e.Window.Start
		if !e.Cursor.Equal(e.Window.End) {
			problems = append(problems, gap(e, e.Window.End, e.Cursor))
		}
	case checkpoint.KindReset:
		if !e.Cursor.After(before.Cursor) {
			at = before.Cursor
		}
	case checkpoint.KindHistory:
		problems = append(problems, continues(before, e)...)
	default: // it leaves the position unchanged
	}
	switch {
	case at.After(before.Cursor):
		problems = append(problems, gap(e, before.Cursor, at))
	case at.Before(before.Cursor):
		problems = append(problems, overlap(e, at, before.Cursor))
	}
	if e.Start.After(before.Start) {
		problems = append(problems, gap(e, before.Start, e.Start))
	}
	return problems
}

// continues checks a history. Its windows follow one another.
func continues(before, e checkpoint.Checkpoint) []problem {
	h := before.History
	if h == nil {
		return []problem{overlap(e, e.Window.Start, e.Window.End)}
	}
	end := h.Until // the walk ends with this entry
	if e.History != nil && e.History.Pass == h.Pass {
		end = e.History.Next
	}
	switch start := e.Window.Start; {
	case start.After(h.Next):
		return []problem{gap(e, h.Next, start)}
	case start.Before(h.Next):
		return []problem{overlap(e, start, h.Next)}
	case e.Window.End.Before(end):
		return []problem{gap(e, e.Window.End, end)}
	}
	return nil
}

// overlaps checks a journal whose windows come in any order.
func overlaps(before, e checkpoint.Checkpoint) []problem {
	for _, covered := range before.Covered {
		if both := e.Window.Intersect(covered); both.Start.Before(both.End) {
			return []problem{overlap(e, both.Start, both.End)}
		}
	}
	return nil
}

func gap(e checkpoint.Checkpoint, from, to time.Time) problem {
	if to.Before(from) {
		return overlap(e, to, from)
	}
	return problemf(WindowGap, "Entry %d leaves out the time from %s to %s: no entry accounts for it.", e.Serial, stamp(from), stamp(to))
}

func overlap(e checkpoint.Checkpoint, from, to time.Time) problem {
	return problemf(WindowOverlap, "Entry %d accounts for the time from %s to %s, and so does an earlier entry.",
		e.Serial, stamp(from), stamp(to))
}

// known are the kinds whose counts and objects this version can check.
func known(k checkpoint.Kind) bool {
	return slices.Contains([]checkpoint.Kind{
		checkpoint.KindExport, checkpoint.KindRescan, checkpoint.KindHistory, checkpoint.KindAhead, checkpoint.KindBarrier,
		checkpoint.KindReset, checkpoint.KindMove, checkpoint.KindAdopt, checkpoint.KindCompact, checkpoint.KindForget,
		checkpoint.KindKeys, checkpoint.KindLetters,
	}, k)
}

// counts compares the counts of an entry with its own objects. files means that the objects are those of an archive.
func counts(e checkpoint.Checkpoint, files bool) (problems []problem) {
	if !known(e.Kind) {
		return nil
	}
	delivered := 0
	for _, o := range e.Objects {
		delivered += o.Records
		if text := misfit(e, o); files && text != "" {
			problems = append(problems, problemf(ObjectContents, "Entry %d names %s, %s.", e.Serial, o.Key, text))
		}
	}
	if e.Kind == checkpoint.KindCompact {
		return append(problems, replaces(e, files)...)
	}
	if e.Kind == checkpoint.KindForget && files {
		problems = append(problems, removes(e)...)
	}
	if e.Kind == checkpoint.KindLetters { // its records were read before; when Houndtrail reads an entry, it compares them with the objects
		delivered = 0
	}
	c := e.Records
	if c.Read+c.Released != c.Fresh+c.Duplicate+c.Excluded+c.Held || c.Paired+c.Filtered > c.Excluded || c.Fresh != delivered+len(e.Refused) ||
		c.Filtered+c.Paired+c.Held+c.Matched+c.Released > 0 && files ||
		min(c.Read, c.Fresh, c.Duplicate, c.Excluded, c.Filtered, c.Late, c.Self, c.Paired, c.Held, c.Matched, c.Released) < 0 {
		problems = append(problems, problemf(EntryCounts, "Entry %d counts %d records read, %d delivered, %d duplicate and %d excluded, "+
			"%d of them by a filter, and its objects have %d.", e.Serial, c.Read, c.Fresh-len(e.Refused), c.Duplicate, c.Excluded, c.Filtered,
			delivered))
	}
	return problems
}

// replaces checks the records of a compaction, and the objects that it replaced. When Houndtrail reads an entry, it checks that the
// new object has as many records as the replaced ones, without their duplicates.
func replaces(e checkpoint.Checkpoint, files bool) (problems []problem) {
	if e.Records != (checkpoint.Counts{}) {
		problems = append(problems, problemf(EntryCounts, "Entry %d is a compaction, which reads no record from BloodHound, and counts %d.",
			e.Serial, e.Records.Read))
	}
	for _, r := range e.Compacted.Replaced {
		key, ok := read.Parse(r.Key)
		if files && (!ok || key.Tenant != e.Tenant || key.Day.Format(time.DateOnly) != e.Compacted.Day) {
			problems = append(problems, problemf(ObjectContents, "Entry %d replaced %s, which is no object of %s on %s.",
				e.Serial, r.Key, e.Tenant, e.Compacted.Day))
		}
	}
	return problems
}

// removes checks the objects that a removal names. They must be of its own tenant, and of days before the day in the entry.
func removes(e checkpoint.Checkpoint) (problems []problem) {
	for _, r := range e.Forgotten.Removed {
		key, ok := read.Parse(r.Key)
		raw := archive.Quarantined(e.Tenant, r.Key)
		if !raw && (!ok || key.Tenant != e.Tenant || !key.Day.Before(e.Forgotten.Before)) {
			problems = append(problems, problemf(ObjectContents, "Entry %d removed %s, which is no object of %s of a day before %s.",
				e.Serial, r.Key, e.Tenant, e.Forgotten.Before.UTC().Format(time.DateOnly)))
		}
	}
	return problems
}

// misfit says why an object cannot belong to the entry; "" if it can.
func misfit(e checkpoint.Checkpoint, o checkpoint.Object) string {
	key, ok := read.Parse(o.Key)
	switch {
	case !ok:
		return "and no archive gives an object that name"
	case key.Tenant != e.Tenant:
		return "which is of another tenant"
	case e.Kind == checkpoint.KindCompact && (key.Compacted == 0 || key.Day.Format(time.DateOnly) != e.Compacted.Day):
		return "and no compaction of that day gives an object that name"
	case e.Kind != checkpoint.KindCompact && !key.Of(e.Window.Start, e.Window.Pass):
		return "which is of another window"
	case !key.Contains(o.MinCreatedAt) || !key.Contains(o.MaxCreatedAt):
		return "whose records are of another day"
	case o.MaxCreatedAt.Before(o.MinCreatedAt) || o.MaxID < o.MinID || o.Records < 1:
		return "and what it says of its records is not possible"
	case e.Kind != checkpoint.KindCompact && !o.MaxCreatedAt.Before(e.Window.End):
		return "whose records are of a time after the window"
	}
	return ""
}

// A past has the events of a journal that explain objects that no entry names.
type past struct {
	pruned   checkpoint.Stored // the first entry that is there, if earlier ones were removed
	resets   []reset
	adoption *checkpoint.Stored // the newest one
	named    int                // objects that the entries so far name
	adopted  int                // of those, the ones that entries before the adoption name
}

// A reset is a person's decision to accept another source, as the journal has it. The open attempts then stay as they are. The
// reset knows their records, and no later run repeats them.
type reset struct {
	epoch  uint64 // of the lineage that ended
	cursor time.Time
	next   uint64 // epoch of the lineage that began
	serial uint64 // of the entry
}

func (p *past) take(before, s checkpoint.Stored) {
	switch s.Kind {
	case checkpoint.KindReset:
		p.resets = append(p.resets, reset{before.Epoch, before.Cursor, s.Epoch, s.Serial})
	case checkpoint.KindAdopt:
		s.Delivered = nil // it can be large
		p.adoption, p.adopted = &s, p.named
	default: // it explains no object
	}
	p.named += len(s.Objects)
}

// left returns the reset that left an object of an open attempt in the archive; nil if there was none.
func (p *past) left(o read.Object) *reset {
	for i, r := range p.resets {
		if o.Compacted == 0 && o.Pass < r.next && (o.Pass != r.epoch || !o.Start.Before(r.cursor)) {
			return &p.resets[i]
		}
	}
	return nil
}

// before tells whether an object may belong to a removed entry. Then the removed entries already accounted for its window, by the
// words of the first entry that remains.
func (p *past) before(o read.Object) bool {
	first := p.pruned
	if first.Serial == 0 {
		return false
	}
	end := first.Cursor
	if first.Kind == checkpoint.KindExport {
		end = first.Window.Start
	}
	in := func(w window.Window) bool { return w.Contains(o.Start) }
	return !first.Readable() || o.Start.Before(end) || o.Start.Before(first.Ahead) || slices.ContainsFunc(first.Covered, in)
}
