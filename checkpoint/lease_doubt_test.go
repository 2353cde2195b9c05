package checkpoint_test

import (
	"testing"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
)

// The next holder learns whether the commit of an intent may still arrive. It may be the same process or another one.
func TestDoubt(t *testing.T) {
	t.Parallel()
	intends := func(t *testing.T, l *checkpoint.Lease) {
		if err := l.Intend(t.Context(), march); err != nil {
			t.Fatal(err)
		}
	}
	doubts := func(t *testing.T, l *checkpoint.Lease) { intends(t, l); l.MarkCommitUncertain() }
	looks := func(*testing.T, *checkpoint.Lease) {}
	type holder struct {
		does func(t *testing.T, l *checkpoint.Lease)
		dies bool
	}
	for name, tc := range map[string]struct {
		before []holder
		want   bool
	}{
		"no holder intended anything":              {[]holder{{looks, false}}, false},
		"no holder intended anything, and it died": {[]holder{{looks, true}}, false},
		"the commit was answered, or never sent":   {[]holder{{intends, false}}, false},
		"the commit had no answer":                 {[]holder{{doubts, false}}, true},
		"the holder died":                          {[]holder{{intends, true}}, true},
		"another one only looked since":            {[]holder{{intends, true}, {looks, false}}, true},
		"another one only looked since, and died":  {[]holder{{doubts, false}, {looks, true}}, true},
		"another one dealt with it since":          {[]holder{{intends, true}, {intends, false}}, false},
		"another one died while it dealt with it":  {[]holder{{doubts, false}, {intends, true}}, true},
		"the next one dealt with it and is unsure": {[]holder{{intends, true}, {doubts, false}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := &checkpointtest.Memory{Locks: true}
			for _, h := range tc.before {
				mine := checkpointtest.NewFaulty(m)
				l, err := checkpoint.Open(mine, stream).Acquire(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				h.does(t, l)
				if h.dies {
					err = mine.Kill()
				} else {
					err = l.Release(t.Context())
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			l, err := checkpoint.Open(m, stream).Acquire(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got := l.CommitUncertain(); got != tc.want {
				t.Errorf("in doubt: %v, want %v", got, tc.want)
			}
			if err := l.Release(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}
