package verify

import (
	"errors"

	"github.com/houndtrail/houndtrail/checkpoint"
)

// A reading is what the store has at a serial.
type reading struct {
	checkpoint.Stored
	err     error // nil if the entry can be read
	doubted bool  // it does not fit the previous entry, which the next one did not settle
}

func (r reading) missing() bool { return errors.Is(r.err, checkpoint.ErrMissing) }

// names returns the SHA-256 that the entry has of the previous one. ok is false if the entry does not tell it: the entry is
// missing, cannot be read, or lies at the place of another one.
func (r reading) names() (sha string, ok bool) {
	return r.PreviousSHA256, r.Readable() && !errors.As(r.err, new(*checkpoint.MisplacedError))
}

// A verdict is a reading, and whether the rest of the journal confirms it.
type verdict struct {
	reading
	last    uint64 // of a gap: its last serial
	changed bool   // a confirmed entry, or the hint, has another hash of it
	want    string // the hash that the entry is to have; "" if that is not known
	by      string // what has that hash
}

// A chain decides which entry was changed when two neighbours do not fit. The later one has the hash of the earlier one. But
// the later one may be the changed one. So the next entry has to confirm it, and at the end of the journal the hint. Entries come
// in order, and a verdict waits for two more entries at most.
type chain struct {
	waiting []reading // one; or two that do not fit
}

// add takes the next entry in.
func (c *chain) add(next reading) (decided []verdict) {
	if len(c.waiting) == 0 {
		c.waiting = []reading{next}
		return nil
	}
	sha, ok := next.names()
	last := c.waiting[len(c.waiting)-1]
	if len(c.waiting) == 2 { //nolint:mnd // see waiting
		first := c.waiting[0]
		switch {
		case ok && sha != last.SHA256: // the later one is doubtful itself, so that it says nothing about the first
			last.doubted = true
			c.waiting = []reading{last}
			v := verdict{reading: first, last: first.Serial}
			if first.doubted { // on both sides
				v = changed(first, last)
			}
			return append([]verdict{v}, c.add(next)...)
		default:
			c.waiting = []reading{next}
			return []verdict{changed(first, last), {reading: last, want: sha, by: named(next)}}
		}
	}
	v := verdict{reading: last, last: last.Serial, by: named(next)}
	if ok {
		v.want = sha
	}
	switch {
	case last.missing():
		v.last = next.Serial - 1
	case !ok || sha == last.SHA256:
	case last.err != nil:
		v.changed = true
	default:
		c.waiting = append(c.waiting, next)
		return nil
	}
	c.waiting = []reading{next}
	return []verdict{v}
}

// end decides about the entries that wait, by the hint.
func (c *chain) end(hint checkpoint.Hint) (decided []verdict) {
	if len(c.waiting) == 0 {
		return nil
	}
	last := c.waiting[len(c.waiting)-1]
	v := verdict{reading: last, last: last.Serial}
	if hint.Serial == last.Serial && hint.SHA256 != "" {
		v.want, v.by, v.changed = hint.SHA256, "the hint", hint.SHA256 != last.SHA256
	}
	if len(c.waiting) > 1 {
		first := verdict{reading: c.waiting[0], last: c.waiting[0].Serial}
		if !v.changed {
			first = changed(c.waiting[0], last)
		}
		decided = append(decided, first)
	}
	c.waiting = nil
	return append(decided, v)
}

// changed is the verdict that an entry is not the one that the next one names.
func changed(r, next reading) verdict {
	return verdict{reading: r, last: r.Serial, changed: true, want: next.PreviousSHA256, by: named(next)}
}
