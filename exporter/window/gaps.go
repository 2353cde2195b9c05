package window

import "slices"

// Gaps returns the parts of w that the taken windows leave, in order of time. The taken windows may come in any order, overlap
// each other and reach beyond w. The gaps of the gaps are the taken parts of w; parts that touch are joined.
func Gaps(w Window, taken []Window) []Window {
	taken = slices.SortedFunc(slices.Values(taken), func(a, b Window) int { return a.Start.Compare(b.Start) })
	var gaps []Window
	start := w.Start // everything of w before it is either taken or in gaps
	for _, t := range taken {
		if t.Span() <= 0 || !t.End.After(start) {
			continue
		}
		if !t.Start.Before(w.End) {
			break
		}
		if start.Before(t.Start) {
			gaps = append(gaps, Window{Start: start, End: t.Start})
		}
		start = t.End
	}
	if start.Before(w.End) {
		gaps = append(gaps, Window{Start: start, End: w.End})
	}
	return gaps
}

// Intersect returns the time that two windows have in common. If they have none, it returns the zero window.
func (w Window) Intersect(other Window) Window {
	if w.Start.Before(other.Start) {
		w.Start = other.Start
	}
	if other.End.Before(w.End) {
		w.End = other.End
	}
	if w.Span() <= 0 {
		return Window{}
	}
	return w
}
