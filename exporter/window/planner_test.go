package window_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/houndtrail/houndtrail/exporter/window"
)

var epoch = time.Date(2026, 10, 12, 0, 0, 0, 0, time.UTC)

func TestNext(t *testing.T) {
	p := window.Planner{Max: 24 * time.Hour}
	for _, tc := range []struct {
		name        string
		planner     window.Planner
		cursor, end string // hours:minutes after the epoch
		horizon     string
		due         bool
	}{
		{"first window is a day", p, "10:00", "34:00", "99:00", true},
		{"or what it is told to try", p.Try(3 * time.Hour), "10:00", "13:00", "99:00", true},
		{"which is a minute at least", p.Try(time.Second), "10:00", "10:01", "99:00", true},
		{"or nothing", p.Try(0), "10:00", "34:00", "99:00", true},
		{"never beyond the maximum, tried or not", p.Try(1e6 * time.Hour), "10:00", "34:00", "99:00", true},
		{"the horizon ends it", p, "10:00", "10:20", "10:20", true},
		{"nothing is due at the horizon", p, "10:20", "", "10:20", false},
		{"nothing is due behind the horizon", p, "10:30", "", "10:20", false},
		{"a quiet hour grows it eightfold", learn(p, 0), "02:00", "10:00", "23:00", true},
		{"never beyond the maximum", learn(learn(learn(p, 0), 0), 0), "00:00", "24:00", "99:00", true},
		{"density decides", learn(p, 1), "01:00", "02:00", "20:00", true},
		{"a denser one shrinks it", learn(p, 2), "01:00", "01:30", "20:00", true},
		{"a maximum below the first span holds", window.Planner{Max: time.Minute}, "01:00", "01:01", "20:00", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w, due := tc.planner.Next(at(t, tc.cursor), at(t, tc.horizon))
			if due != tc.due {
				t.Fatalf("due = %v, want %v", due, tc.due)
			}
			if due && (!w.Start.Equal(at(t, tc.cursor)) || !w.End.Equal(at(t, tc.end))) {
				t.Errorf("window %s to %s, want %s to %s", w.Start, w.End, tc.cursor, tc.end)
			}
		})
	}
}

func TestCut(t *testing.T) {
	p := window.Planner{Max: 24 * time.Hour}
	w := window.Window{Start: epoch, End: epoch.Add(time.Hour)}
	for _, tc := range []struct {
		name string
		w    window.Window
		fill float64
		want time.Duration
		ok   bool
	}{
		{"to size by the estimate", w, 10, 6 * time.Minute, true},
		{"by a quarter at least", w, 1.001, 45 * time.Minute, true},
		{"not below a microsecond", window.Window{Start: epoch, End: epoch.Add(2 * time.Microsecond)}, 1e12, time.Microsecond, true},
		{"a microsecond cannot be cut", window.Window{Start: epoch, End: epoch.Add(time.Microsecond)}, 5, 0, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			next, ok := p.Cut(tc.w, tc.fill)
			if ok != tc.ok {
				t.Fatalf("ok = %v, want %v", ok, tc.ok)
			}
			if !ok {
				return
			}
			got, _ := next.Next(epoch, epoch.Add(24*time.Hour))
			if got.Span() != tc.want {
				t.Errorf("span %s, want %s", got.Span(), tc.want)
			}
		})
	}
}

// Whatever a test tells the planner, its windows cover time without a gap or an overlap, and it gets to the horizon.
func TestWindowsTileTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := window.Planner{
			Max: time.Duration(rapid.Int64Range(int64(time.Minute), int64(1000*time.Hour)).Draw(t, "max")),
		}
		horizon := epoch.Add(time.Duration(rapid.Int64Range(0, int64(100*time.Hour)).Draw(t, "backlog")))
		cursor := epoch
		for range 200 {
			w, due := p.Next(cursor, horizon)
			if due != cursor.Before(horizon.Truncate(time.Microsecond)) {
				t.Fatalf("due = %v at %s of %s", due, cursor, horizon)
			}
			if !due {
				return
			}
			if !w.End.Equal(w.End.Truncate(time.Microsecond)) {
				t.Fatalf("the window ends at %s, between two microseconds", w.End)
			}
			if !w.Start.Equal(cursor) || !w.End.After(w.Start) || w.End.After(horizon) || w.Span() > p.Max {
				t.Fatalf("window %v after cursor %s, horizon %s, max %s", w, cursor, horizon, p.Max)
			}
			fill := rapid.Float64Range(0, 1000).Draw(t, "fill")
			if fill > 1 {
				smaller, ok := p.Cut(w, fill)
				if ok {
					if again, _ := smaller.Next(cursor, horizon); again.Span() > max(w.Span()*3/4, time.Microsecond) {
						t.Fatalf("cutting %s gave %s", w.Span(), again.Span())
					}
					p = smaller
					continue
				}
			}
			p = p.Learn(w, min(fill, 1))
			cursor = w.End
		}
	})
}

// learn takes in an hour that was so full.
func learn(p window.Planner, fill float64) window.Planner {
	return p.Learn(window.Window{Start: epoch, End: epoch.Add(time.Hour)}, fill)
}

func at(t *testing.T, hm string) time.Time {
	t.Helper()
	if hm == "" {
		return time.Time{}
	}
	var h, m int
	if n, err := fmt.Sscanf(hm, "%d:%d", &h, &m); n != 2 || err != nil {
		t.Fatal(hm, err)
	}
	return epoch.Add(time.Duration(h)*time.Hour + time.Duration(m)*time.Minute)
}
