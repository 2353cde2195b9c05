package webhook

import (
	"cmp"
	"context"
	"encoding/hex"
	"maps"
	"slices"
	"sync"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink"
)

// An event names a record within a window.
type event struct{ id, micro int64 }

func eventOf(s sink.Stamp) event { return event{s.ID, s.CreatedAt.UnixMicro()} }

// A portion has the records of a window that one POST delivered, or one record that is in the dead letter.
type portion struct {
	at     int // index of its first record among those of the window
	events []event
	object checkpoint.Object
	aside  int                // how many of its records the receiver has stored in another place
	letter *checkpoint.Letter // nil if the receiver has the records
}

// portion has those records of a batch that the receiver has acknowledged. It remains after the preparedWindow. Its object is the
// body that the receiver got, with the records that the receiver took.
func (b *batch) portion(acknowledged func(i int) bool) portion {
	p := portion{at: -1, events: make([]event, 0, len(b.lines)), aside: b.aside}
	p.object = sink.Object("batch/"+b.id, len(b.wire), b.sum, func(yield func(sink.Stamp) bool) {
		for i := range b.lines {
			if !acknowledged(i) {
				continue
			}
			if p.at < 0 {
				p.at = b.lines[i].at
			}
			p.events = append(p.events, eventOf(b.lines[i].Stamp))
			if !yield(b.lines[i].Stamp) {
				return
			}
		}
	})
	return p
}

// every tells that the receiver has acknowledged each record of a batch.
func every(int) bool { return true }

// inOrder sorts portions by their first records. The receiver may have acknowledged them in any order.
func inOrder(portions []portion) []portion {
	slices.SortFunc(portions, func(a, b portion) int { return cmp.Compare(a.at, b.at) })
	return portions
}

// count is how many records the portions have.
func count(portions []portion) (n int) {
	for _, p := range portions {
		n += len(p.events)
	}
	return n
}

// A progress has the acknowledged batches of a window whose delivery failed. The next attempt sends only the rest. Without the
// progress, one record that the receiver cannot read would make the sink send all others again in every cycle. The next attempt
// cuts the rest at the same records. So if the receiver got a batch and its answer was lost, the batch comes again under the same
// batch id.
//
// A progress never changes: several goroutines may read it.
type progress struct {
	window window.Window
	done   []portion
	begins map[event]bool // the first record of each batch
}

// among compares a progress with the records of an attempt at the window, or at a part of it. It returns the portions that the
// records include, the portions that have none of the records, and the first records of batches. If the records of a part include
// only some records of a portion, it drops the portion: the receipt would have a wrong batch. If the records of a whole window lack
// a delivered record, it drops all portions.
func (p *progress) among(records []record.Record, part bool) (found, others []portion, begins map[event]bool) {
	if p == nil {
		return nil, nil, nil
	}
	places := make(map[event]int, len(records))
	for i := range records {
		places[eventOf(sink.StampOf(&records[i]))] = i
	}
	for _, done := range p.done {
		there := 0
		for _, e := range done.events {
			if _, ok := places[e]; ok {
				there++
			}
		}
		switch there {
		case len(done.events):
			done.at = places[done.events[0]]
			found = append(found, done)
		case 0:
			others = append(others, done)
		}
	}
	if !part && len(found) < len(p.done) {
		return nil, nil, nil
	}
	return found, others, p.begins
}

// list sets the lines of the preparedWindow: the records that are in no earlier portion.
func (m *preparedWindow) list(records []record.Record, p *progress) {
	m.total, m.lines = len(records), m.lines[:0]
	m.earlier, m.others, m.begins = p.among(records, m.part)
	var done, begins map[event]bool
	if len(m.earlier) > 0 {
		done, begins = make(map[event]bool, count(m.earlier)), m.begins
	}
	for _, earlier := range m.earlier {
		for _, e := range earlier.events {
			done[e] = true
		}
	}
	for i := range records {
		stamp := sink.StampOf(&records[i])
		if e := eventOf(stamp); !done[e] {
			m.lines = append(m.lines, line{Stamp: stamp, at: i, begins: begins[e]})
		}
	}
}

// progress is the progress after the preparedWindow. It is nil if the receiver has acknowledged no batch. If the window comes in
// parts, the progress is that of all parts.
func (m *preparedWindow) progress(done []portion, outcomes []outcome) *progress {
	done = append(done, m.others...)
	if len(done) == 0 {
		return nil
	}
	p := &progress{window: m.window, done: done, begins: map[event]bool{}}
	if m.part {
		maps.Copy(p.begins, m.begins)
	}
	for i := range m.batches {
		p.begins[eventOf(m.batches[i].lines[0].Stamp)] = true
		for _, e := range outcomes[i].begins {
			p.begins[e] = true
		}
	}
	return p
}

// wasTaken tells whether the receiver took a batch from an earlier process, which was killed. Then the batch has its outcome.
func (s *Sink) wasTaken(ctx context.Context, m *preparedWindow, b *batch, o *outcome) bool {
	aside, ok := s.options.Taken.Has(ctx, m.window, b.sum)
	if ok {
		b.aside = aside
		s.passed(b)
		*o = outcome{done: []portion{b.portion(every)}}
		s.options.Log.Debug("the receiver has taken the batch before a kill: it is not sent again", zap.String("batch", b.id))
	}
	return ok
}

// note writes down that the receiver has taken a batch, and then frees the batch's place in flight. While the store is slow, other
// batches are sent: as many batches may wait for their note as may be in flight. So after a kill, at most twice as many come again. A
// batch that the receiver took in parts has no note, and comes again too. The last batch of a window has no note if its commit follows
// at once: the store would get a second request for each window of one batch.
func (s *Sink) note(ctx context.Context, m *preparedWindow, b *batch, o *outcome, last bool, free func()) {
	whole := len(o.done) == 1 && o.done[0].letter == nil && o.done[0].object.SHA256 == hex.EncodeToString(b.sum[:]) &&
		len(o.done[0].events) == len(b.lines)
	if s.options.Taken == nil || !whole || last || s.unnoted.Acquire(ctx, 1) != nil {
		free()
		return
	}
	defer s.unnoted.Release(1)
	free()
	s.options.Taken.Add(ctx, m.window, b.sum, b.aside)
}

// mostUnfinished is how many windows the sink remembers. A stream has a few windows in flight. The limit is for windows that the
// stream never tries again.
const mostUnfinished = 64

// An unfinished has the progress of each window whose latest delivery failed. It is safe for concurrent use.
type unfinished struct {
	mu      sync.Mutex
	windows []*progress // the latest one is last
}

func (u *unfinished) find(w window.Window) *progress {
	u.mu.Lock()
	defer u.mu.Unlock()
	if i := u.index(w); i >= 0 {
		return u.windows[i]
	}
	return nil
}

// set replaces the progress of a window. A nil progress removes it.
func (u *unfinished) set(w window.Window, p *progress) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if i := u.index(w); i >= 0 {
		u.windows = slices.Delete(u.windows, i, i+1)
	}
	if p == nil {
		return
	}
	if len(u.windows) == mostUnfinished {
		u.windows = slices.Delete(u.windows, 0, 1)
	}
	u.windows = append(u.windows, p)
}

func (u *unfinished) index(w window.Window) int {
	return slices.IndexFunc(u.windows, func(p *progress) bool { return p.window.Start.Equal(w.Start) && p.window.Pass == w.Pass })
}
