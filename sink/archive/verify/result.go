// Package verify compares an archive with its journals, and trusts neither. It checks every entry of the journals, and every object
// that they name.
//
// A verification writes nothing, and needs no secret except the right to read. It collects all findings. Each finding names a
// fault, and the next step. If an entry or an object cannot be read, that is an error and no finding: the archive must not pass for
// a sound one.
//
// A journal passes three stages. A chain decides which entries are the committed ones, by the hash that the next entry has of each.
// An account adds the entries up, and looks for time that no entry accounts for. Then the verification asks the store for each
// object of an entry. In the end, the verification lists the objects. If no entry names an object, an attempt left it, or an
// attacker smuggled it in.
//
// Many entries and objects are read at a time. For each object, the verification needs eight bytes of memory. To find a record that
// is there twice, it also keeps a compressed set of ids. Nothing else in memory grows with the archive.
package verify

import (
	"fmt"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/record"
)

// Anchors are the heads that the second place remembers.
type Anchors struct {
	Place  string // for people; "" if none is set
	Newest map[string]Anchor
}

// An Anchor is the newest remembered head of a journal. Its key in Newest is the name of the journal in its heads.
type Anchor struct {
	Size uint64
	Age  time.Duration
	Late bool // the schedule says that a newer one is due, if the journal has grown
}

// anchored reports the journals for which no remembered head vouches. A backfill anchors its head when it ends, and has no
// schedule.
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

// A Watcher gets the entries and the records that a verification reads, for example for a page about it.
type Watcher interface {
	// Entry gets an entry that is the committed one, as far as its journal tells. The entries of a journal come in order, one journal
	// after the other.
	Entry(e checkpoint.Stored)
	// Object returns two functions for an object. The verification calls the first one, each, for every record. The record is valid
	// only during the call. After the last record, it calls the second one, sound, if the object is as committed. It reads several
	// objects at a time.
	Object() (each func(*record.Record), sound func())
}

// Watch is a Watcher that passes everything to two others. The first one may be nil.
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

// Sound tells that all entries and objects that were looked at are as committed, and that all of them could be read.
func (r *Report) Sound() bool { return r.Counts[Error] == 0 && len(r.Unread) == 0 }

// Result is the result in one sentence. It claims only facts about the parts that were looked at.
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

// isAre is the verb after a number.
func isAre(many bool) string {
	if many {
		return "are"
	}
	return "is"
}
