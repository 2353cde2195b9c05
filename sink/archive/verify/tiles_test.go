package verify_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/sink/archive/verify"
	"github.com/houndtrail/houndtrail/sink/sinktest/servers"
)

// TestTamperedTiles: the verification finds each change of a tile, at each depth, in each kind of store. A missing tile is no
// error.
func TestTamperedTiles(t *testing.T) {
	t.Parallel()
	s, heads := long(t, 600, 100, 300, 512, 599)
	const first, second = archived + "/tile/0/000", archived + "/tile/0/001"
	tile := func(key string) []byte {
		body, _, _, err := s.positions.Get(t.Context(), key)
		check(t, err)
		return body
	}
	cases := map[string]struct {
		change map[string][]byte // nil removes a tile
		want   []string
	}{
		"nothing":            {nil, nil},
		"a bit":              {map[string][]byte{second: flip(tile(second))}, []string{"error tile-differs 512"}},
		"another tile":       {map[string][]byte{second: tile(first)}, []string{"error tile-differs 512"}},
		"too long":           {map[string][]byte{first: append(tile(first), 0)}, []string{"error tile-differs 256"}},
		"empty":              {map[string][]byte{first: {}}, []string{"error tile-differs 256"}},
		"gone":               {map[string][]byte{first: nil}, []string{"warn tile-missing 256"}},
		"all gone":           {map[string][]byte{first: nil, second: nil}, []string{"warn tile-missing 256"}},
		"of lost entries":    {map[string][]byte{archived + "/tile/0/002": tile(first)}, []string{"error entries-lost 601"}},
		"one gone, one lies": {map[string][]byte{first: nil, second: flip(tile(second))}, []string{"error tile-differs 512", "warn tile-missing 256"}},
	}
	all := map[string][]byte{}
	keys, err := s.positions.List(t.Context(), "", "")
	check(t, err)
	for _, key := range keys {
		all["positions/"+key] = tile(key)
	}
	server := servers.VersityGW(t)
	servers.CreateBucket(t, server, lake, true)
	for where, v := range map[string]*vandal{"directory": inFolder(t, t.TempDir(), all), "versitygw": inBucket(t, server, "tiles", all)} {
		v.place.files = s.files
		for what, c := range cases {
			for key, body := range c.change {
				if body == nil {
					v.remove("positions/" + key)
				} else {
					v.put("positions/"+key, body)
				}
			}
			for _, depth := range []verify.Depth{verify.Heads, verify.Objects} {
				if where == "versitygw" && depth == verify.Objects && what != "a bit" {
					continue // the tiles are read in the same way
				}
				o := v.place.options(depth)
				o.Heads = heads
				if got, report := run(t, o); !same(got, c.want) || report.Heads != len(heads) {
					t.Errorf("%s, %s, %s: %q, want %q; %d heads", where, what, depth, got, c.want, report.Heads)
				}
			}
			for key := range c.change {
				if body, there := all["positions/"+key]; there {
					v.put("positions/"+key, body)
				} else {
					v.remove("positions/" + key)
				}
			}
		}
	}
}

// TestHeadsByTiles: if the tiles are there, a head of any age costs no request of its own. The tiles also show a head of another
// history.
func TestHeadsByTiles(t *testing.T) {
	t.Parallel()
	var sizes []int
	for size := 1; size <= 1100; size += 7 {
		sizes = append(sizes, size)
	}
	s, heads := long(t, 1100, sizes...)
	gets := func(heads []verify.Remembered) int64 {
		var reads atomic.Int64
		counted := checkpointtest.NewFaulty(s.positions)
		counted.On(func(_ context.Context, op checkpointtest.Op, _ string) checkpointtest.Fault {
			if op == checkpointtest.Get {
				reads.Add(1)
			}
			return checkpointtest.Fault{}
		})
		o := place{s.files, counted}.options(verify.Heads)
		o.Heads = heads
		if got, report := run(t, o); len(got) > 0 || report.Heads != len(heads) {
			t.Errorf("%q, %d heads", got, report.Heads)
		}
		return reads.Load()
	}
	if none, all := gets(nil), gets(heads); all > none || all > 256+40 {
		t.Errorf("%d requests without heads, and %d with %d of them", none, all, len(heads))
	}
	other := newSmall(t, archived)
	other.export(hours(0, 2), nil)
	for i := 1; i < 300; i++ {
		other.export(hours(i+1, i+2), nil)
	}
	o := s.place().options(verify.Heads)
	o.Heads = slices.Concat(heads, []verify.Remembered{headOf(t, "another", other.last.Head)})
	if got, report := run(t, o); !same(got, []string{"error head-unknown 300"}) || report.Heads != len(heads) {
		t.Errorf("%q, %d heads", got, report.Heads)
	}
}
