package verify

import (
	"slices"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/archive/read"
)

// A past has the events of a journal that explain objects that no entry names.
type past struct {
	pruned   checkpoint.Stored // the first entry that is there, if earlier ones were removed
	resets   []reset
	adoption *checkpoint.Stored // the newest one
	named    int                // objects that the entries so far name
	adopted  int                // of those, by entries before the adoption
}

// A reset is what the journal said when a person accepted another source. The attempts that were open then stay as they are: the
// reset knows their records, and no later run makes them again.
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

// left returns the reset that left an attempt's object as it was; nil if there was none.
func (p *past) left(o read.Object) *reset {
	for i, r := range p.resets {
		if o.Compacted == 0 && o.Pass < r.next && (o.Pass != r.epoch || !o.Start.Before(r.cursor)) {
			return &p.resets[i]
		}
	}
	return nil
}

// before tells whether an object may be of an entry that was removed: its window is one for which the first entry that is there
// accounts no more.
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
