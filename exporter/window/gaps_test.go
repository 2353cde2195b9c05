package window_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/houndtrail/houndtrail/exporter/window"
)

func TestGaps(t *testing.T) {
	whole := hours(10, 20)
	for _, tc := range []struct {
		name  string
		taken []window.Window
		want  []window.Window
	}{
		{"nothing is taken", nil, []window.Window{whole}},
		{"all of it is", []window.Window{hours(9, 21)}, nil},
		{"exactly all of it", []window.Window{whole}, nil},
		{"neighbours leave no gap", []window.Window{hours(10, 15), hours(15, 20)}, nil},
		{"in any order", []window.Window{hours(16, 17), hours(12, 14)}, []window.Window{hours(10, 12), hours(14, 16), hours(17, 20)}},
		{"beyond both ends", []window.Window{hours(19, 30), hours(0, 11)}, []window.Window{hours(11, 19)}},
		{"elsewhere", []window.Window{hours(0, 10), hours(20, 30)}, []window.Window{whole}},
		{"one inside another", []window.Window{hours(11, 19), hours(12, 13)}, []window.Window{hours(10, 11), hours(19, 20)}},
		{"an empty one takes nothing", []window.Window{hours(15, 15)}, []window.Window{whole}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, window.Gaps(whole, tc.taken)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if got := window.Gaps(hours(15, 15), nil); got != nil {
		t.Errorf("an empty window has the gaps %v", got)
	}
}

// Every instant of the window is either taken or in exactly one gap, and gaps come in order and do not touch.
func TestGapsAreTheComplement(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		whole := drawWindow(t, "whole")
		taken := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) window.Window { return drawWindow(t, "taken") }), 0, 8).Draw(t, "all")
		gaps := window.Gaps(whole, taken)
		for at := range 24 {
			instant := hours(at, at).Start
			want := 0
			if whole.Contains(instant) && !contained(taken, instant) {
				want = 1
			}
			got := 0
			for _, gap := range gaps {
				if gap.Contains(instant) {
					got++
				}
			}
			if got != want {
				t.Fatalf("hour %d is in %d gaps, want %d: %v", at, got, want, gaps)
			}
		}
		for _, w := range taken {
			common := whole.Intersect(w)
			for at := range 24 {
				instant := hours(at, at).Start
				if common.Contains(instant) != (whole.Contains(instant) && w.Contains(instant)) {
					t.Fatalf("hour %d: %v and %v have %v in common", at, whole, w, common)
				}
			}
			if common.Span() <= 0 && common != (window.Window{}) {
				t.Fatalf("%v and %v have %v in common", whole, w, common)
			}
		}
		for i, gap := range gaps {
			if gap.Span() <= 0 || i > 0 && !gaps[i-1].End.Before(gap.Start) {
				t.Fatalf("gap %d of %v", i, gaps)
			}
		}
	})
}

func drawWindow(t *rapid.T, label string) window.Window {
	from := rapid.IntRange(0, 24).Draw(t, label+" from")
	return hours(from, rapid.IntRange(from, 24).Draw(t, label+" to"))
}

func contained(all []window.Window, at time.Time) bool {
	for _, w := range all {
		if w.Contains(at) {
			return true
		}
	}
	return false
}

// hours is a window in hours after the epoch.
func hours(from, to int) window.Window {
	return window.Window{
		Start: epoch.Add(time.Duration(from) * time.Hour), End: epoch.Add(time.Duration(to) * time.Hour),
	}
}
