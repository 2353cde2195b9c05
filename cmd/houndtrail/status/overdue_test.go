package status

import (
	"errors"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/config"
)

// TestOverdue: a commit is due an hour, the settle time, two ticks and two minutes after the previous one. If a clock was ahead at
// the previous commit, the position tells how long no run has come.
func TestOverdue(t *testing.T) {
	t.Parallel()
	const settle = 2 * time.Minute
	var every config.Schedule
	if err := every.UnmarshalText([]byte("@every 5m")); err != nil {
		t.Fatal(err)
	}
	late := time.Hour + settle + 10*time.Minute + stream.Lateness
	for name, test := range map[string]struct {
		committed, cursor time.Duration // before now
		alive             bool
		stale             bool
	}{
		"just committed":                        {0, settle, false, false},
		"an hour ago":                           {time.Hour, time.Hour + settle, false, false},
		"not yet late":                          {late - time.Second, late, false, false},
		"late":                                  {late + time.Second, late + settle, false, true},
		"late, and a run is under way":          {late + time.Second, late + settle, true, false},
		"a backlog":                             {time.Minute, 240 * time.Hour, false, false},
		"a backlog, and a clock a minute ahead": {-time.Minute, 240 * time.Hour, false, false},
		"a clock was a year ahead":              {-365 * 24 * time.Hour, late - time.Second, false, false},
		"a clock was a year ahead, and no run":  {-365 * 24 * time.Hour, late + time.Second, false, true},
	} {
		row := Row{alive: test.alive}
		row.Serial, row.CommittedAt, row.Cursor = 1, march.Add(-test.committed), march.Add(-test.cursor)
		err := row.overdue(every, "HOUNDTRAIL_SCHEDULE", settle, sourceState{now: march, own: march.Add(time.Second)})
		if errors.Is(err, stream.ErrStale) != test.stale {
			t.Errorf("%s: %v", name, err)
		}
	}
}
