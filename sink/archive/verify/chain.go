package verify

import (
	"context"
	"errors"
	"fmt"

	"github.com/houndtrail/houndtrail/checkpoint"
)

// headEntries is the number of the newest entries that the shallowest depth reads.
const headEntries = 256

// entries reads the journal, oldest entry first.
func (j *journal) entries(ctx context.Context) {
	if j.end.Newest == 0 {
		return
	}
	for _, of := range j.spans() {
		if !j.through(ctx, of) {
			return
		}
	}
	j.tiles(ctx)
	j.unsettled(ctx)
	j.signatures(ctx)
	j.deadLetters(ctx)
}

// spans are the parts of the journal to read.
func (j *journal) spans() []serials {
	newest := j.end.Newest
	switch {
	case j.Depth == Heads:
		return []serials{{max(1, newest-min(newest, headEntries)+1), newest}}
	case j.Sample != nil:
		return j.Sample.spans(j.Name, newest)
	default:
		return []serials{{1, newest}}
	}
}

// through reads a part of the journal. It tells whether that succeeded.
func (j *journal) through(ctx context.Context, of serials) bool {
	var c chain
	var hint checkpoint.Hint
	if of.last == j.end.Newest {
		hint = j.end.Hint
	}
	j.before, j.lastSigned = checkpoint.Stored{}, false
	begun, next := false, of.first
	for s, err := range j.Readings(ctx, of.first, of.last, parallel) {
		switch {
		case ctx.Err() != nil:
			return false
		case err != nil && !errors.Is(err, checkpoint.ErrCorrupt) && !errors.Is(err, checkpoint.ErrForeign):
			j.unread(err) // the store failed, or the journal needs a newer version
			return false
		}
		r := reading{Stored: s, err: err}
		if !begun {
			begun = true
			lost, there := j.begin(ctx, r, of)
			if !there {
				return true
			}
			if lost != nil {
				j.take(ctx, c.add(*lost))
			}
		}
		next = s.Serial + 1
		j.progressed()
		j.take(ctx, c.add(r))
	}
	j.take(ctx, c.end(hint))
	j.sampled(of)
	return j.cut(ctx, serials{next, of.last})
}

// cut handles a part whose last entries are missing although later ones are there. If none are missing, it does nothing. It tells
// whether it could read the journal's beginning.
func (j *journal) cut(ctx context.Context, of serials) bool {
	if of.first > of.last || ctx.Err() != nil {
		return ctx.Err() == nil
	}
	earliest, err := j.earliest(ctx)
	if err != nil {
		j.unread(err)
		return false
	}
	if of.first = max(of.first, earliest); of.first <= of.last {
		j.take(ctx, []verdict{{reading: missing(of.first), last: of.last}})
	}
	return true
}

// missing stands for entries that are not there, from a serial on.
func missing(serial uint64) reading {
	err := fmt.Errorf("%w: %w", checkpoint.ErrMissing, checkpoint.ErrCorrupt)
	return reading{Stored: checkpoint.Stored{Checkpoint: checkpoint.Checkpoint{Serial: serial}}, err: err}
}

// begin handles the first entry that a part has. there is false if the whole part was pruned. lost stands for the entries that
// should come before.
func (j *journal) begin(ctx context.Context, r reading, of serials) (lost *reading, there bool) {
	s := r.Stored
	if of.first > 1 && (s.Serial > of.first || r.missing()) {
		switch earliest, err := j.earliest(ctx); {
		case err != nil:
			j.unread(err)
			return nil, false
		case r.missing() && earliest > s.Serial:
			return nil, false
		case earliest < s.Serial && s.Serial > of.first:
			r := missing(of.first)
			lost = &r
		case earliest == s.Serial:
			j.prune(s)
		}
	}
	if of.last < j.end.Newest {
		return lost, true
	}
	j.stream.First = s.Serial
	switch {
	case of.first > 1: // earlier entries may be there
		j.since(s)
	case s.Serial > 1:
		j.prune(s)
	case s.Readable() && s.PreviousSHA256 != "":
		j.report(EntryChanged, Error, 1, "Entry 1 is the first one, and yet it names a previous one.")
	}
	return lost, true
}

// prune notes that the journal begins with an entry.
func (j *journal) prune(s checkpoint.Stored) {
	j.past.pruned = s
	j.report(Pruned, Warning, 0, "The journal begins with entry %d: the earlier ones were removed, and what they say is not checked.",
		s.Serial)
}

// earliest is the serial of the first entry that is there.
func (j *journal) earliest(ctx context.Context) (uint64, error) {
	for s, err := range j.Readings(ctx, 1, j.end.Newest, 1) {
		switch {
		case errors.Is(err, checkpoint.ErrMissing):
		case err != nil && !errors.Is(err, checkpoint.ErrCorrupt) && !errors.Is(err, checkpoint.ErrForeign):
			return 0, err
		default:
			return s.Serial, nil
		}
	}
	return j.end.Newest, nil
}

// A reading is the content of the store at a serial.
type reading struct {
	checkpoint.Stored
	err     error // nil if the entry can be read
	doubted bool  // it fits neither the previous entry nor the next one
}

func (r reading) missing() bool { return errors.Is(r.err, checkpoint.ErrMissing) }

// names returns the SHA-256 of the previous entry, from this one. ok is false if this entry does not tell it. Then it is missing,
// cannot be read, or is an entry of another serial.
func (r reading) names() (sha string, ok bool) {
	return r.PreviousSHA256, r.Readable() && !errors.As(r.err, new(*checkpoint.MisplacedError))
}

// A verdict is a reading, with the answer whether the rest of the journal confirms it.
type verdict struct {
	reading
	last    uint64 // of a gap: its last serial
	changed bool   // a confirmed entry, or the hint, has another hash for it
	want    string // the hash that the entry must have; "" if that is not known
	by      string // the entry, or the hint, that has this hash
}

// A chain decides which entry was changed when two neighbours do not fit. The later one has the hash of the earlier one. But the
// later one may be the changed one. So the next entry has to confirm it. At the end of the journal, the hint has to. Entries come
// in order, and a verdict waits for two more entries at most.
type chain struct {
	waiting []reading // one; or two that do not fit
}

// add takes the next entry, and returns the verdicts that it allows.
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
		case ok && sha != last.SHA256: // the later one is in doubt itself, so it says nothing about the first
			last.doubted = true
			c.waiting = []reading{last}
			v := verdict{reading: first, last: first.Serial}
			if first.doubted { // it fits neither neighbour
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

// end decides about the waiting entries, with the help of the hint.
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

// changed is the verdict on an entry whose hash differs from the one in the next entry.
func changed(r, next reading) verdict {
	return verdict{reading: r, last: r.Serial, changed: true, want: next.PreviousSHA256, by: named(next)}
}
