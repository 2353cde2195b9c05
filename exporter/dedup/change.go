package dedup

import (
	"encoding/binary"
	"slices"
	"sort"
)

// Change describes how s differs from the set before it: how many minutes s has forgotten, and which minutes have changed.
// Between two commits, that is little. ok is false if s cannot have come from before by forgetting and delivering alone: after
// an accepted reset, for example.
func (s Set) Change(before Set) (change []byte, ok bool) {
	var b []byte
	for _, minutes := range [][2][]minute{{before.own, s.own}, {before.earlier, s.earlier}} {
		b = appendChange(b, minutes[0], minutes[1])
	}
	change, err := pack(changeSet, b)
	if err != nil {
		return nil, false
	}
	after, err := before.Apply(change)
	return change, err == nil && same(after.own, s.own) && same(after.earlier, s.earlier)
}

func same(a, b []minute) bool {
	return slices.EqualFunc(a, b, func(a, b minute) bool {
		return a.at == b.at && slices.Equal(a.runs, b.runs) && slices.Equal(a.marks, b.marks)
	})
}

// Size estimates how many bytes the set has before compression; it may be wrong by a third.
func (s Set) Size() (n int) {
	for _, minutes := range [][]minute{s.own, s.earlier} {
		for _, m := range minutes {
			n += 3 + 2*len(m.runs) + 2*len(m.marks)
		}
	}
	return n
}

func appendChange(b []byte, before, after []minute) []byte {
	var kept []minute
	if len(after) > 0 {
		kept = from(before, after[0].at)
	}
	b = binary.AppendUvarint(b, uint64(len(before)-len(kept)))
	var changed []minute
	// Apply limits the marks too. If that limit removes marks from a minute, the change need not contain this minute.
	marks, limited := 0, false
	for _, m := range slices.Backward(after) {
		marks += len(m.marks)
		was := at(kept, m.at)
		limited = limited || m.marks == nil && marks+len(was.marks) > mostMarks
		if !slices.Equal(was.runs, m.runs) || !slices.Equal(was.marks, m.marks) && !limited {
			changed = append(changed, m)
		}
	}
	slices.Reverse(changed)
	return appendMinutes(b, changed)
}

// Apply returns the set after a change of this set, see [Set.Change].
func (s Set) Apply(change []byte) (Set, error) {
	const what = "the change of the set of delivered ids"
	if len(change) == 0 {
		return s, nil
	}
	p := unpack(changeSet, change)
	next := Set{own: p.change(s.own), earlier: p.change(s.earlier)}
	if err := p.end(what, len(change)); err != nil {
		return Set{}, err
	}
	next.own = limitMarks(next.own)
	return next, nil
}

// change reads a change of the minutes and applies it.
func (p *parser) change(minutes []minute) []minute {
	forgotten, changed := p.uvarint(), p.minutes()
	if forgotten > uint64(len(minutes)) {
		p.fail()
		return nil
	}
	minutes = minutes[forgotten:]
	all := make([]minute, 0, len(minutes)+len(changed))
	for _, m := range changed {
		i := sort.Search(len(minutes), func(i int) bool { return minutes[i].at >= m.at })
		all, minutes = append(append(all, minutes[:i]...), m), minutes[i:]
		if len(minutes) > 0 && minutes[0].at == m.at {
			minutes = minutes[1:]
		}
	}
	return append(all, minutes...)
}

// from returns the minutes from a number on.
func from(minutes []minute, number int64) []minute {
	return minutes[sort.Search(len(minutes), func(i int) bool { return minutes[i].at >= number }):]
}
