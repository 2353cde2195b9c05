// Package pair joins the two records of an action. The server writes the intent before the action, and the outcome after it. A stream
// that pairs sends the outcome with the time of its intent, and no intent. The package is pure.
//
// Two records are a pair if they have the same commit_id, which is not the zero one, and the same action. An outcome takes the
// oldest intent that is not younger than itself, and each intent has one outcome.
//
// An intent without an outcome waits in the journal. Its record is there in whole, so Houndtrail need not ask the source for it again.
// When it has waited long enough, or when too many wait, the stream sends it alone ([record.Record.Lone]). So for each intent that
// Houndtrail has read, one of these is true: it waits, it was sent alone, or its outcome was sent.
package pair

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/page"
	"github.com/houndtrail/houndtrail/exporter/record"
)

// These limit the intents that wait, since they are in each entry. The oldest ones beyond the limits are sent alone.
const (
	mostWaiting = 256
	mostBytes   = 256 << 10 // of their records
)

const (
	intentStatus = "intent"
	zeroCommit   = "00000000-0000-0000-0000-000000000000"
)

// A key is the same for an intent and its outcome.
type key struct{ commit, action string }

// keyOf is the key of a record; ok is false if the record has no pair.
func keyOf(r *record.Record) (k key, ok bool) {
	return key{r.CommitID, r.Action}, r.CommitID != "" && r.CommitID != zeroCommit
}

func isIntent(r *record.Record) bool { return r.Status == intentStatus }

func isOutcome(r *record.Record) bool { return r.Status == "success" || r.Status == "failure" }

// A Window has what [Window.Join] has to know of a window before its delivered records are dropped.
type Window struct {
	outcomes map[key]int // outcomes without intents: how many more outcomes than intents the window has
}

// Of returns the Window of records, delivered ones too.
func Of(read []record.Record) Window {
	w := Window{map[key]int{}}
	w.add(read, 1)
	return w
}

func (w Window) add(records []record.Record, n int) {
	for i := range records {
		k, ok := keyOf(&records[i])
		switch {
		case !ok:
		case isOutcome(&records[i]):
			w.outcomes[k] += n
		case isIntent(&records[i]):
			w.outcomes[k] -= n
		}
	}
}

// A Joined is the work of a window.
type Joined struct {
	Records []record.Record     // to send, in the order of records
	Waiting []checkpoint.Intent // the intents that wait after the window, oldest first

	Held     int // new intents that begin to wait
	Paired   int // new intents whose outcomes were sent or are among Records
	Matched  int // intents that waited, and whose outcomes are among Records
	Released int // intents that waited, and that are among Records now
}

// Join pairs the new records of a window, which are sorted, and the intents that wait. An intent from after the instant waits on. It
// changes the records, and keeps their memory. fresh are those of the read records that were not delivered before.
//
// The error says that the record of a waiting intent cannot be read. An entry has it as the server sent it, so that does not happen.
func (w Window) Join(waiting []checkpoint.Intent, fresh []record.Record, after time.Time) (Joined, error) {
	w.add(fresh, -1) // the delivered ones remain
	t := table{}
	for i := range waiting {
		t.add(key{waiting[i].CommitID, waiting[i].Action}, &open{id: waiting[i].ID, at: waiting[i].CreatedAt})
	}
	for i := range fresh {
		if k, ok := keyOf(&fresh[i]); ok && isIntent(&fresh[i]) {
			t.add(k, &open{id: fresh[i].ID, at: fresh[i].CreatedAt})
		}
	}
	for i := range fresh {
		if k, ok := keyOf(&fresh[i]); ok && isOutcome(&fresh[i]) {
			if o := t.take(k, fresh[i].CreatedAt); o != nil {
				fresh[i].Began = o.at
			}
		}
	}
	return w.decide(t, waiting, fresh, after)
}

// Part ends the pairing of a stream that pairs no more: all intents that waited are sent alone, in their places among the new records.
func Part(waiting []checkpoint.Intent, fresh []record.Record, _ time.Time) (Joined, error) {
	j := Joined{Records: fresh, Waiting: slices.Clone(waiting)}
	err := j.release(endOfTime)
	return j, err
}

// endOfTime is after every record.
//
//nolint:gochecknoglobals // a constant
var endOfTime = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)

// decide decides about each intent: its outcome is there, it waits, or it is sent alone.
func (w Window) decide(t table, waiting []checkpoint.Intent, fresh []record.Record, after time.Time) (j Joined, err error) {
	for i := range waiting {
		if o := t.of(key{waiting[i].CommitID, waiting[i].Action}, waiting[i].ID, waiting[i].CreatedAt); o.taken {
			j.Matched++
		} else {
			j.Waiting = append(j.Waiting, waiting[i])
		}
	}
	kept := fresh[:0]
	for i := range fresh {
		r := &fresh[i]
		k, ok := keyOf(r)
		switch {
		case !isIntent(r):
		case !ok:
			r.Lone = true
		case t.of(k, r.ID, r.CreatedAt).taken:
			j.Paired++
			continue
		case w.outcomes[k] > 0: // its outcome was delivered before it: the intent became visible late
			w.outcomes[k]--
			j.Paired++
			continue
		case r.CreatedAt.After(after):
			j.Held++
			j.Waiting = append(j.Waiting, intent(r))
			continue
		default:
			r.Lone = true
		}
		kept = append(kept, *r)
	}
	j.Records = kept
	err = j.release(after)
	return j, err
}

// release moves the intents that no longer wait from Waiting to Records.
func (j *Joined) release(after time.Time) error {
	slices.SortFunc(j.Waiting, func(a, b checkpoint.Intent) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	var released []record.Record
	bytes := 0
	for i := range j.Waiting {
		bytes += len(j.Waiting[i].Record)
	}
	for len(j.Waiting) > 0 {
		first := j.Waiting[0]
		if first.CreatedAt.After(after) && len(j.Waiting) <= mostWaiting && bytes <= mostBytes {
			break
		}
		r, err := parse(first)
		if err != nil {
			return err
		}
		bytes -= len(first.Record)
		released, j.Waiting = append(released, r), j.Waiting[1:]
	}
	if j.Released = len(released); j.Released > 0 {
		j.Records = slices.Concat(released, j.Records)
		slices.SortFunc(j.Records, func(a, b record.Record) int { return record.Compare(&a, &b) })
	}
	return nil
}

// intent is the form in which an intent waits. Its strings are its own.
func intent(r *record.Record) checkpoint.Intent {
	return checkpoint.Intent{
		ID: r.ID, CreatedAt: r.CreatedAt, CommitID: strings.Clone(r.CommitID), Action: strings.Clone(r.Action),
		Record: strings.Clone(r.Raw),
	}
}

// parse is the record of an intent that waited.
func parse(i checkpoint.Intent) (record.Record, error) {
	p, err := page.Parse([]byte(`{"data":{"logs":[`+i.Record+`]}}`), nil, nil)
	if err == nil && len(p.Records) != 1 {
		err = fmt.Errorf("it is no record: %.200q", i.Record)
	}
	if err != nil {
		return record.Record{}, fmt.Errorf("the journal has the intent %d of %s, which waits for its outcome: %w", i.ID,
			i.CreatedAt.Format(time.RFC3339Nano), err)
	}
	r := p.Records[0]
	r.Lone = true
	return r, nil
}

// A table has the intents of a window that may find their outcomes.
type table map[key][]*open

// An open intent is one that may find its outcome.
type open struct {
	id    int64
	at    time.Time
	taken bool // it has its outcome
}

func (t table) add(k key, o *open) { t[k] = append(t[k], o) }

// take gives the outcome of an instant its intent; nil if there is none.
func (t table) take(k key, at time.Time) *open {
	var oldest *open
	for _, o := range t[k] {
		if !o.taken && !o.at.After(at) && (oldest == nil || o.at.Before(oldest.at)) {
			oldest = o
		}
	}
	if oldest != nil {
		oldest.taken = true
	}
	return oldest
}

func (t table) of(k key, id int64, at time.Time) *open {
	for _, o := range t[k] {
		if o.id == id && o.at.Equal(at) {
			return o
		}
	}
	return &open{}
}
