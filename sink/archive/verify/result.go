// Package verify checks an archive and its journals against each other, without trusting either: every entry of the journals, and
// every object that they name.
//
// A verification writes nothing, and needs no secret but the right to read. It collects all findings. Each names what is not as it
// should be, and what to do. What could not be read is no finding but an error: it must not pass for a sound archive.
//
// A journal passes three stages. A chain decides which entries are the ones that were committed, by the hash that the next entry
// has of each. An account adds the entries up, and looks for time that no entry accounts for. A store is asked for each object of
// an entry. In the end the objects are listed: one that no entry names was left by an attempt, or smuggled in.
//
// Entries and objects are read side by side, and memory does not grow with them but for eight bytes an object and, to find a record
// that is there twice, a compressed set of ids.
package verify

import (
	"fmt"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/record"
)

// Anchors are what the second place has that remembers heads.
type Anchors struct {
	Place  string // for people; "" if none is set
	Newest map[string]Anchor
}

// An Anchor is the newest head of a journal there, by the name of the journal in its heads.
type Anchor struct {
	Size uint64
	Age  time.Duration
	Late bool // by the schedule a newer one is due, if the journal has gone on
}

// anchored reports what no head elsewhere vouches for. A backfill anchors its head at its end, and by no schedule.
func (r *run) anchored(journals []*journal) {
	if r.Anchors == nil {
		return
	}
	var unset []string
	for _, j := range journals {
		if !j.tip.Readable() {
			continue
		}
		newest, there := r.Anchors.Newest[j.tip.Seal.Origin]
		severity := Warning
		if j.AnyOrder {
			severity = Info
		}
		switch {
		case r.Anchors.Place == "":
			unset = append(unset, j.Name)
		case !there:
			j.report(NoAnchor, severity, 0, "No head of the journal %s is remembered at %s: whether it was rolled back is not known.",
				j.tip.Seal.Origin, r.Anchors.Place)
		case newest.Late && newest.Size < j.end.Newest && !j.AnyOrder:
			j.report(AnchorLate, Warning, 0, "The newest head of the journal that is remembered at %s is %s old, and the journal has %d entries "+
				"since then.", r.Anchors.Place, newest.Age.Round(time.Minute), j.end.Newest-newest.Size)
		}
	}
	if len(unset) > 0 {
		r.found.add(Finding{Code: NoAnchor, Severity: Info, Text: fmt.Sprintf("No other place remembers heads of: %s. A rollback of the "+
			"journal together with its hint shows only by a head that you kept (--head).", strings.Join(unset, ", "))})
	}
}

// A Watcher is told what a verification reads, such as for a page about it.
type Watcher interface {
	// Entry takes in an entry that is the one that was committed, as far as its journal tells. The entries of a journal come in
	// order, one journal after the other.
	Entry(e checkpoint.Stored)
	// Object returns what takes in the records of an object, which are valid only during the call, and what is called after the
	// last one if the object is as it was committed. Several objects are read at a time.
	Object() (each func(*record.Record), sound func())
}

// Watch is a Watcher that tells two others. The first one may be nil.
func Watch(a, b Watcher) Watcher {
	if a == nil {
		return b
	}
	return watchers{a, b}
}

type watchers []Watcher

// Entry implements [Watcher].
func (all watchers) Entry(e checkpoint.Stored) {
	for _, w := range all {
		w.Entry(e)
	}
}

// Object implements [Watcher].
func (all watchers) Object() (each func(*record.Record), sound func()) {
	var eaches []func(*record.Record)
	var sounds []func()
	for _, w := range all {
		each, sound := w.Object()
		eaches, sounds = append(eaches, each), append(sounds, sound)
	}
	return func(r *record.Record) {
			for _, each := range eaches {
				each(r)
			}
		}, func() {
			for _, sound := range sounds {
				sound()
			}
		}
}

// Sound tells that everything that was looked at is as it was committed, and that all of it could be read.
func (r *Report) Sound() bool { return r.Counts[Error] == 0 && len(r.Unread) == 0 }

// Result is the result in one sentence. It claims no more than was looked at.
func (r *Report) Result() string {
	entries := int64(0)
	for _, s := range r.Streams {
		entries += s.Entries
	}
	looked := fmt.Sprintf("%d entries and %d objects (%d records)", entries, r.Objects, r.Records)
	if r.Depth == Heads {
		looked = fmt.Sprintf("the newest %d entries", entries)
	}
	switch {
	case r.Counts[Error] > 0:
		text := fmt.Sprintf("NOT as committed: %s in %s", plural(r.Counts[Error], "error"), looked)
		if len(r.Unread) > 0 {
			text += "; and not everything could be read"
		}
		return text + "."
	case len(r.Unread) > 0:
		return "NOT verified: not everything could be read, so nothing is claimed."
	}
	text := "As committed: " + looked
	if !r.Since.IsZero() || !r.Until.IsZero() {
		text += ", the objects " + between(r)
	}
	if r.Sample != nil {
		text += "; " + r.Sample.String()
	}
	switch r.Depth {
	case Heads:
		text += "; earlier entries and the objects were not looked at"
	case Objects:
		text += "; by size and checksum, without reading the records"
	case Read:
		text += "; every byte was read"
	}
	if len(r.Keys) > 0 {
		text += "; signed with a key that you gave"
	}
	if r.Heads > 0 {
		text += "; " + plural(r.Heads, "head") + " kept elsewhere led to it"
	}
	if n := r.Counts[Warning]; n > 0 {
		text += "; " + plural(n, "warning")
	}
	return text + "."
}

func between(r *Report) string {
	var parts []string
	if !r.Since.IsZero() {
		parts = append(parts, "since "+stamp(r.Since))
	}
	if !r.Until.IsZero() {
		parts = append(parts, "before "+stamp(r.Until))
	}
	return strings.Join(parts, " and ")
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func named(r reading) string { return fmt.Sprintf("entry %d", r.Serial) }

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// span names a run of serials.
func span(first, last uint64) string {
	if first == last {
		return fmt.Sprintf("Entry %d", first)
	}
	return fmt.Sprintf("Entries %d to %d", first, last)
}

// isAre is the verb that follows a number.
func isAre(many bool) string {
	if many {
		return "are"
	}
	return "is"
}
