package simulation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/dedup"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/archive/read"
)

// The losses that the archive's journal can have.
type loss int

const (
	lostNot     loss = iota
	lostWhole        // with its lease, as if a volume were lost
	lostEntries      // the entries are lost, and the objects that processes replace again and again stay
	lostMoved        // it is at another place, and a person puts it back when the exporter says that it is gone
)

// An order is the work of a person after a cycle has ended with an error that asks for a person.
type order string

const (
	adopt   order = "adopt"
	reset   order = "accept-reset"
	putBack order = "put back"
)

// ask notes that a stream asks for a person. That person may do other work first, or wait.
func (p *process) ask(stream string, err error) {
	j := p.journals[stream]
	var what order
	switch {
	case errors.Is(err, exporter.ErrSourceChanged):
		what = reset
	case j.lost != lostNot && (errors.Is(err, exporter.ErrJournalGone) || errors.Is(err, checkpoint.ErrCorrupt)):
		what = adopt
		if j.lost == lostMoved {
			what = putBack
		}
	default:
		return
	}
	if p.calm || p.dice(stream+string(what), uint64(time.Now().UnixMicro())).IntN(3) > 0 {
		p.orders[stream] = what
	}
}

// intervene makes the changes that happen between two cycles, when all processes rest. It tells whether there were any.
func (w *world) intervene(tick int, runners ...*runner) bool {
	lose, restore := w.loseAt > 0 && tick == w.loseAt, w.restoreAt > 0 && tick == w.restoreAt
	w.mu.Lock()
	orders, rotated := len(w.orders), w.rotate(tick)
	w.mu.Unlock()
	if !lose && !restore && !rotated && orders == 0 {
		return false
	}
	for _, r := range runners {
		r.wait()
		if rotated {
			r.process = nil // it has the key that is no longer active
		}
	}
	w.inFlight.Wait()
	if restore {
		w.restore()
	}
	if lose {
		w.lose()
	}
	w.obey()
	return true
}

// lose removes the archive's journal, if it accounts for any object.
func (w *world) lose() {
	w.mu.Lock()
	defer w.mu.Unlock()
	j := w.journals[archiveStream]
	if len(w.archive.files) == 0 || w.loss == lostEntries && j.serial <= 1 && j.noted == 0 {
		return // then no object would show that there was an entry
	}
	away := &journal{name: j.name, lost: w.loss, away: j, objects: map[string][]byte{}}
	for _, key := range w.keys() {
		if w.loss == lostEntries && checkpoint.Rewritten(key) {
			continue
		}
		away.objects[key], _, _, _ = w.positions.Get(w.t.Context(), key)
		w.positions.Remove(key)
	}
	w.journals[archiveStream] = away
	w.tally["journals that were lost"]++
	w.note("operator", "the journal of the archive is gone (%d)", w.loss)
}

// keys returns the keys of the archive's journal.
func (w *world) keys() []string {
	keys, err := w.positions.List(w.t.Context(), archiveStream+"/", "")
	if err != nil {
		w.fail("the positions: %v", err)
	}
	return keys
}

// putBack brings the journal back to its place.
func (w *world) putBack() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, key := range w.keys() {
		w.positions.Remove(key)
	}
	j := w.journals[archiveStream]
	for key, body := range j.objects {
		if _, err := w.positions.Put(w.t.Context(), key, body, ""); err != nil {
			w.fail("put %s back: %v", key, err)
		}
	}
	w.journals[archiveStream] = j.away
	w.tally["journals put back"]++
	w.note("operator", "puts the journal of the archive back")
}

// obey does the work that the streams have asked for. If an order fails, a person repeats it before the next cycle.
func (w *world) obey() {
	for _, stream := range streams {
		w.mu.Lock()
		what := w.orders[stream]
		delete(w.orders, stream)
		w.people++
		name := fmt.Sprintf("person%d", w.people)
		w.mu.Unlock()
		if what == "" {
			continue
		}
		var err error
		switch p := newProcess(w, name); what {
		case adopt:
			err = p.adopt()
		case reset:
			_, err = p.exporters[stream].AcceptReset(p.ctx, p.journal(stream, view{p, positions, p.positions}), time.Time{}, "it is meant")
		case putBack:
			w.putBack()
		}
		w.mu.Lock()
		w.events = append(w.events, event{at: time.Now(), who: name, text: string(what) + " for the " + stream, err: err})
		if err != nil {
			w.orders[stream] = what
			if !errors.Is(err, checkpoint.ErrLeaseHeld) && w.violation == "" {
				w.fail("%s for the %s: %v", what, stream, err)
			}
		}
		w.mu.Unlock()
	}
}

// adopt does the same work as the command.
func (p *process) adopt() error {
	store := view{p, positions, p.positions}
	_, err := p.exporters[archiveStream].Adopt(p.ctx, p.journal(archiveStream, store),
		p.journal(backfillStream, store, checkpoint.AnyOrder()), p.survey, "it is lost")
	return err
}

func (p *process) survey(context.Context) (found exporter.Found, err error) {
	var delivered dedup.Builder
	library.run(func() {
		var survey read.Found
		survey, err = read.Survey(context.Background(), p.objects, tenant, func(id int64, at time.Time) error {
			delivered.Add(id, at)
			return nil
		})
		found = exporter.Found{
			Delivered: delivered.Set(), From: survey.From, To: survey.To, Newest: &survey.Newest,
			MaxID: survey.MaxID, MaxPass: survey.MaxPass, Objects: survey.Objects, Bytes: survey.Bytes,
			Records: survey.Records,
		}
	})
	return found, err
}

// destination answers the questions of the archive's exporter, as in the command.
func (p *process) destination() exporter.Destination {
	b := view{p, objects, p.objects}
	return exporter.Destination{
		Occupied: func(ctx context.Context, before time.Time, own []window.Window) (string, error) {
			all, _, err := read.Objects(ctx, b, tenant)
			for _, o := range all {
				attempted := slices.ContainsFunc(own, func(w window.Window) bool { return o.Of(w.Start, w.Pass) })
				if !attempted && (before.IsZero() || o.Start.Before(before)) {
					return o.Key(), err
				}
			}
			return "", err
		},
		Attempt: func(ctx context.Context, w window.Window) (keys []string, err error) {
			all, _, err := read.Objects(ctx, b, tenant)
			for _, o := range all {
				if o.Of(w.Start, w.Pass) {
					keys = append(keys, o.Key())
				}
			}
			return keys, err
		},
		Recall: func(ctx context.Context, key string, add func(int64, time.Time)) error {
			body, _, _, err := b.Get(ctx, key)
			if err != nil {
				return err
			}
			library.run(func() {
				var file *read.File
				if file, err = read.Open(body, key); err == nil {
					err = file.Each(func(id int64, at time.Time) error { add(id, at); return nil })
				}
			})
			return err
		},
	}
}

// judgeBeginning checks an entry with which a person begins a lineage.
func (w *world) judgeBeginning(p *process, j *journal, e checkpoint.Checkpoint) {
	isPerson := strings.HasPrefix(p.name, "person")
	if !isPerson || e.Kind == checkpoint.KindAdopt && j.lost == lostNot || e.Kind == checkpoint.KindReset && e.Cursor.After(j.cursor) {
		w.fail("%s begins a lineage of the %s with entry %d of kind %s, at %s after %s", p.name, j.name, e.Serial, e.Kind,
			stamp(e.Cursor), stamp(j.cursor))
	}
	for _, f := range w.archive.files { // the entry accounts for all present objects, or for those of declared windows
		mine := e.Kind == checkpoint.KindAdopt || !f.past // a reset leaves a backfill's attempt to the backfill
		f.committed = f.committed || j.name == archiveStream && mine
	}
	j.resets++
	j.epoch, j.lineage, j.cursor, j.known = e.Epoch, e.Lineage, e.Cursor, e.DeliveredSince
	j.lost, j.refuses, j.away, j.objects = lostNot, false, nil, nil
	j.owes()
	w.tally["entries of kind "+string(e.Kind)]++
	w.note(p.name, "commits %s %d: %s, at %s, known since %s", j.name, e.Serial, e.Kind, stamp(e.Cursor), stamp(e.DeliveredSince))
}
