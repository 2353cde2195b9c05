package bloodhound

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest"
)

// Whatever order a server knows, no record of the span is before the instant that First returns. If First calls a span empty, the
// span has no record.
func TestFirst(t *testing.T) {
	centuries := rapid.Int64Range(firstInstant().UnixMicro(), lastInstant().UnixMicro())
	days := rapid.Int64Range(epoch.UnixMicro(), epoch.AddDate(0, 0, 90).UnixMicro())
	instants := rapid.Int64Range(epoch.UnixMicro(), epoch.UnixMicro()+5)
	rapid.Check(t, func(rt *rapid.T) {
		micros := rapid.SampledFrom([]*rapid.Generator[int64]{centuries, days, instants}).Draw(rt, "scale")
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
		c := newClient(t, Options{Connection: rest.Options{Transport: server}})
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

// The span begins with from and ends before to, to the microsecond that records have.
func TestFirstEnds(t *testing.T) {
	for _, test := range []struct {
		from, to time.Duration // from epoch, the instant of the one record
		ok       bool
	}{
		{0, 1, true},
		{-1, 1, true},
		{-time.Hour, time.Microsecond, true},
		{-time.Hour, 0, false},
		{1, time.Hour, false},
		{0, 0, false},
		{time.Hour, -time.Hour, false},
	} {
		c := newClient(t, Options{Connection: rest.Options{Transport: &timedServer{rows: []time.Time{epoch}}}})
		if at, ok, err := c.First(t.Context(), epoch.Add(test.from), epoch.Add(test.to)); err != nil || ok != test.ok || ok && at != epoch {
			t.Errorf("from %s to %s: %s, %v, %v", test.from, test.to, at, ok, err)
		}
	}
}

// The search asks whether there is a record up to an instant. When there is none, the next microsecond may hold one.
func TestSearchLeavesNoGap(t *testing.T) {
	probe := func(rows ...time.Time) (*timedServer, time.Time) {
		server := &timedServer{rows: rows, ignoresSort: true}
		at, ok, err := newClient(t, Options{Connection: rest.Options{Transport: server}}).First(t.Context(), epoch, lastInstant())
		if err != nil || !ok {
			t.Fatal(at, ok, err)
		}
		return server, at
	}
	some := epoch.AddDate(2, 0, 0)
	asked, _ := probe(some, some.AddDate(0, -1, 0))
	for _, q := range asked.requests[2:] {
		before, err := time.Parse(time.RFC3339Nano, q.Get("before"))
		if err != nil {
			t.Fatal(err)
		}
		next := before.Add(time.Microsecond)
		if _, at := probe(some, some.AddDate(0, -1, 0), next); at.After(next) {
			t.Errorf("first is %s, after the record of %s", at, next)
		}
	}
}
