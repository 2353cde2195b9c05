package stream

import (
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint/bucket/dir"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// TestOccupied: every object occupies the place, except those that the attempts themselves would replace.
func TestOccupied(t *testing.T) {
	t.Parallel()
	store, err := dir.Open(t.TempDir() + "/not/there/yet")
	if err != nil {
		t.Fatal(err)
	}
	occupied := func(tenant string, attempts ...window.Window) string {
		key, err := archiveDestination(store, tenant).Occupied(t.Context(), time.Time{}, attempts)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	put := func(key string) {
		if _, err := store.Put(t.Context(), key, []byte("x"), ""); err != nil {
			t.Fatal(err)
		}
	}
	if key := occupied("acme.example"); key != "" {
		t.Errorf("a new directory is occupied by %s", key)
	}
	const (
		first  = "audit/tenant=acme.example/dt=2026-03-01/20260301T235900.000000Z.parquet"
		second = "audit/tenant=acme.example/dt=2026-03-02/20260302T005900.000000Z.parquet"
	)
	put(first)
	put(second)
	start := time.Date(2026, 3, 1, 23, 59, 0, 0, time.UTC)
	one := window.Window{Start: start, End: start.Add(time.Hour)}
	two := window.Window{Start: one.End, End: one.End.Add(time.Hour)}
	longer, later, passed := one, one, one
	longer.End, later.Start, passed.Pass = one.End.Add(time.Hour), one.Start.Add(time.Microsecond), 7
	for name, test := range map[string]struct {
		attempts []window.Window
		want     string
	}{
		"no attempt":     {nil, first},
		"both":           {[]window.Window{one, two}, ""},
		"only one":       {[]window.Window{one}, second},
		"another end":    {[]window.Window{longer, two}, ""},
		"another pass":   {[]window.Window{passed, two}, first},
		"another window": {[]window.Window{later, two}, first},
	} {
		if key := occupied("acme.example", test.attempts...); key != test.want {
			t.Errorf("%s: occupied by %q, want %q", name, key, test.want)
		}
	}
	if key := occupied("acme"); key != "" {
		t.Errorf("another tenant's archive is occupied by %q", key)
	}
	const renamed = "audit/tenant=acme.example/dt=2026-03-01/20260301T235900.000000Z (copy).parquet"
	put(renamed)
	if key := occupied("acme.example", one, two); key != renamed {
		t.Errorf("beside a renamed object: occupied by %q, want %q", key, renamed)
	}
}
