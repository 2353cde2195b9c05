package exporter_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/bloodhound"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
)

// A fresh process ends its window by the earlier of two clocks: this machine's and the server's. It first takes its own clock
// for right. It begins anew only if the first reply shows another time. If the server's clock is ahead, its records have times
// in the future: the process delivers them, and the position stays.
func TestWrongClock(t *testing.T) {
	const audit = bloodhound.AuditPath
	window, look := []string{audit}, []string{audit, audit, audit} // for both ends of the log, as the stream is new
	ahead := []string{audit, audit}                                // for records with times in the future
	for name, test := range map[string]struct {
		skew     time.Duration // of the server's clock
		requests []string      // of a second cycle, by a process of its own
	}{
		"the same":          {0, slices.Concat(window, look)},
		"a little behind":   {20 * time.Second, slices.Concat(window, look)}, // harmless
		"behind":            {10 * time.Minute, slices.Concat(window, ahead)},
		"behind the cursor": {40 * time.Minute, slices.Concat(window, ahead)},
		"ahead":             {-3 * time.Second, slices.Concat(window, window, look)},
		"far ahead":         {-40 * time.Minute, slices.Concat(window, window, look)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := startQuiet(t, bloodhoundtest.V84)
				q.skew = test.skew
				s := q.stream("archive", whole{newReceiver()})
				s.cycle(t)
				time.Sleep(15 * time.Minute)
				now := time.Now().Add(q.skew)
				q.server.Add(bloodhoundtest.Row{CreatedAt: now.Add(-settle - 30*time.Second), Action: "New"})
				q.requests()
				s.Source = q.newClient()
				s.cycle(t)
				if got := q.requests(); !slices.Equal(got, test.requests) {
					t.Errorf("it asked for %v, want %v", got, test.requests)
				}
				entries := s.entries(t)
				last := entries[len(entries)-1]
				if test.skew > exporter.Apart {
					if last.Kind != checkpoint.KindAhead || last.Records.Fresh != 1 || last.Cursor.After(time.Now().Add(-settle)) {
						t.Errorf("%s with %d fresh records, and the cursor at %s", last.Kind, last.Records.Fresh, last.Cursor)
					}
					return
				}
				if behind := now.Add(-settle).Sub(last.Cursor); last.Records.Fresh != 1 || behind < 0 || behind > 25*time.Second {
					t.Errorf("%d fresh records, and the cursor is %s behind", last.Records.Fresh, behind)
				}
			})
		})
	}
}

// A daemon remembers the server's clock and adds the time that has passed. It notices if a person set that clock back.
func TestClockSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := startQuiet(t, bloodhoundtest.V84)
		s := q.stream("archive", whole{newReceiver()})
		s.cycle(t)
		for _, skew := range []time.Duration{-10 * time.Second, -20 * time.Minute, -20 * time.Minute, 0, 0} {
			time.Sleep(time.Hour)
			q.skew = skew
			s.cycle(t)
			entries := s.entries(t)
			if horizon := time.Now().Add(skew - settle); entries[len(entries)-1].Cursor.After(horizon) {
				t.Errorf("with the server's clock %s off, the cursor is %s ahead of the settled time", skew,
					entries[len(entries)-1].Cursor.Sub(horizon))
			}
		}
	})
}

// If the server sends no Date, its clock is not known, and the exporter does not guess.
func TestNoDate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := startQuiet(t, bloodhoundtest.V84)
		q.undated = true
		s := q.stream("archive", whole{newReceiver()})
		err := s.RunOnce(t.Context())
		if err == nil || !strings.Contains(err.Error(), "Date header") || len(s.entries(t)) > 0 {
			t.Errorf("%d entries: %v", len(s.entries(t)), err)
		}
	})
}
