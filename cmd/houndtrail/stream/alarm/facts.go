package alarm

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Facts are what a Teller knows of one stream after a cycle.
type Facts struct {
	Stream  string
	Trouble string // the state of a stream that is not well, in the words of status; "" if it is well
	Reason  string // the error of the cycle, without secrets; "" if there is none
	Entry   *Entry // nil if no entry of the journal could be read
}

// An Entry has the facts of a journal's newest entry. The numbers are those of all entries so far.
type Entry struct {
	Holes    int64     // records that the source could not return
	Changed  int64     // delivered records that the source has changed or removed
	Diverted int64     // records that the receiver has stored in another place than Houndtrail asked for
	Deadline time.Time // the source may drop records from then on that are not exported yet; zero if that is not near
}

// The names of the alarms that are no state of a stream.
const (
	Hole      = "hole"
	Vanished  = "vanished"
	Diverted  = "diverted"
	Retention = "retention"
)

// The states of an alarm.
const (
	raised  = "raised"
	cleared = "cleared"
)

// An event tells a receiver an alarm. It has no id, so that no query takes it for a record.
type event struct {
	Type    string    `json:"type"`
	EventID string    `json:"event_id"`
	Tenant  string    `json:"tenant"`
	Stream  string    `json:"stream"`
	Alarm   string    `json:"alarm"`
	State   string    `json:"state"`
	Count   int64     `json:"count,omitempty"`
	Total   int64     `json:"total,omitempty"`
	Text    string    `json:"text"`
	At      time.Time `json:"at"`
}

// told is what a receiver was told of one stream.
type told struct {
	Standing map[string]begun `json:"standing,omitempty"` // the alarms that have begun, and whose end was not told
	Holes    int64            `json:"holes,omitempty"`
	Changed  int64            `json:"changed,omitempty"`
	Diverted int64            `json:"diverted,omitempty"`
}

// begun says since when an alarm stands. Untold means that the receiver may not have been told. Over means that the alarm stands no
// more, and that the receiver may have been told that.
type begun struct {
	Since  time.Time `json:"since"`
	Untold bool      `json:"untold,omitempty"`
	Over   bool      `json:"over,omitempty"`
}

// standing are the alarms of these facts that last until they are cleared, with their texts.
func (f Facts) standing() map[string]string {
	all := map[string]string{}
	if f.Trouble != "" {
		all[f.Trouble] = cmp.Or(f.Reason, "the stream is in the state "+f.Trouble)
	}
	if f.Entry != nil && !f.Entry.Deadline.IsZero() {
		all[Retention] = "the server may drop records that are not exported yet, from " + f.Entry.Deadline.UTC().Format(time.RFC3339) +
			" on: find out what holds up the export"
	}
	return all
}

// turn returns what the receiver was told, with the alarms that begin and end with these facts. It was not told of them yet.
func (t told) turn(f Facts, now time.Time) (next told, news bool) {
	next = t
	next.Standing = map[string]begun{}
	texts := f.standing()
	for alarm, b := range t.Standing {
		_, stands := texts[alarm]
		if unknown := alarm == Retention && f.Entry == nil; !stands && !unknown && !b.Over {
			b.Over, news = true, true
		}
		next.Standing[alarm] = b
	}
	for alarm := range texts {
		if b, was := t.Standing[alarm]; !was || b.Over {
			next.Standing[alarm], news = begun{Since: now, Untold: true}, true
		}
	}
	return next, news
}

// difference returns the events that tell these facts to a receiver, and what it was told then. before has their turn already.
func (f Facts) difference(before told, tenant string, now time.Time) (events []event, after told) {
	add := func(alarm, state, text string, id any) *event {
		events = append(events, event{
			Type: "houndtrail.alarm", EventID: fmt.Sprintf("%s/houndtrail/%s/alarm/%s/%v", tenant, f.Stream, alarm, id),
			Tenant: tenant, Stream: f.Stream, Alarm: alarm, State: state, Text: text, At: now,
		})
		return &events[len(events)-1]
	}
	after = before
	after.Standing = map[string]begun{}
	texts := f.standing()
	for _, alarm := range slices.Sorted(maps.Keys(before.Standing)) {
		b := before.Standing[alarm]
		if b.Over {
			add(alarm, cleared, "it began at "+b.Since.UTC().Format(time.RFC3339)+", and is over now", fmt.Sprintf("%d/cleared", b.Since.Unix()))
			continue
		}
		if text, stands := texts[alarm]; stands && b.Untold {
			add(alarm, raised, text, b.Since.Unix()).At = b.Since
			b.Untold = false
		}
		after.Standing[alarm] = b
	}
	if f.Entry == nil {
		return events, after
	}
	for _, c := range []struct {
		alarm, text string
		total       int64
		told        *int64
	}{
		{Hole, "records could not be read, so the destination has holes", f.Entry.Holes, &after.Holes},
		{
			Vanished, "the source has changed or removed records that were delivered: find out who changed its audit log",
			f.Entry.Changed, &after.Changed,
		},
		{
			Diverted, "the receiver has put records into another place than asked, since they do not fit: look there, and mend the index",
			f.Entry.Diverted, &after.Diverted,
		},
	} {
		if c.total > *c.told {
			e := add(c.alarm, raised, c.text, c.total)
			e.Count, e.Total = c.total-*c.told, c.total
		}
		*c.told = c.total
	}
	return events, after
}
