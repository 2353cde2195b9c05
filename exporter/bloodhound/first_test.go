package bloodhound

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Whatever order a server knows, no record of the span is before the instant that First returns, and none hides in a span
// that it calls empty.
func TestFirst(t *testing.T) {
	centuries := rapid.Int64Range(firstInstant().UnixMicro(), lastInstant().UnixMicro())
	days := rapid.Int64Range(epoch.UnixMicro(), epoch.AddDate(0, 0, 90).UnixMicro())
	instants := rapid.Int64Range(epoch.UnixMicro(), epoch.UnixMicro()+5)
	rapid.Check(t, func(rt *rapid.T) {
		micros := rapid.OneOf(centuries, days, instants)
		server := &timedServer{
			ignoresSort: rapid.Bool().Draw(rt, "ignores sort_by"),
			ascending:   rapid.IntRange(0, 4).Draw(rt, "ascending") == 0,
			noCount:     rapid.Bool().Draw(rt, "no count"),
		}
		for _, at := range rapid.SliceOfN(micros, 0, 30).Draw(rt, "rows") {
			server.rows = append(server.rows, time.UnixMicro(at).UTC())
		}
		fine := rapid.SampledFrom([]time.Duration{0, 0, 1, 999})
		from := time.UnixMicro(micros.Draw(rt, "from")).UTC().Add(fine.Draw(rt, "finer from"))
		to := time.UnixMicro(micros.Draw(rt, "to")).UTC().Add(fine.Draw(rt, "finer to"))
		var want time.Time
		var some bool
		for _, at := range server.rows {
			if !at.Before(from) && at.Before(to) && (!some || at.Before(want)) {
				want, some = at, true
			}
		}
		c := newClient(t, Options{Transport: server})
		at, ok, err := c.First(t.Context(), from, to)
		if err != nil || ok != some {
			rt.Fatalf("%s, %v, %v, want %s, %v", at, ok, err, want, some)
		}
		if ok && (at.After(want) || at.Before(from) || want.Sub(at) > searchStep) {
			rt.Fatalf("first is %s, want %s", at, want)
		}
		if ok && !server.ignoresSort && !at.Equal(want) {
			rt.Fatalf("first is %s, want exactly %s", at, want)
		}
		server.hold(rt, 60)
	})
}
