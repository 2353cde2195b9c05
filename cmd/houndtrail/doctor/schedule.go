package doctor

import (
	"context"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/show"
	"github.com/houndtrail/houndtrail/config"
)

// scheduleGroup is the group of the daemon's times.
const scheduleGroup = "schedule"

// A timetable is one schedule of the daemon.
type timetable struct {
	*patient
	name     string // the name of the check
	variable string // without the prefix
	schedule config.Schedule
}

func timetableChecks(name string) []check[*timetable] {
	return []check[*timetable]{{name: name, about: "the next times of the daemon, and their time zone", run: (*timetable).next}}
}

// timetables are the schedules that have a value.
func timetables(p *patient) (all []*timetable) {
	c := p.config
	for _, t := range []timetable{
		{p, "cycles", "SCHEDULE", c.Schedule},
		{p, "archive", "ARCHIVE_SCHEDULE", c.Archive.Schedule},
		{p, "rescan", "RESCAN_SCHEDULE", c.RescanSchedule},
		{p, "compaction", "COMPACT_SCHEDULE", c.CompactSchedule},
		{p, "verification", "VERIFY_SCHEDULE", c.VerifySchedule.Schedule},
		{p, "anchors", "ANCHOR_SCHEDULE", c.Anchor.Schedule},
	} {
		idle := t.variable == "ANCHOR_SCHEDULE" && c.Anchor.URL == "" || t.variable == "RESCAN_SCHEDULE" && c.Rescan == 0
		if t.schedule.Spec != "" && !idle {
			all = append(all, &t)
		}
	}
	return all
}

// seldom is a long time between two cycles: records may vanish in it, or an outage is not noticed for long.
const seldom = 25 * time.Hour

func (t *timetable) next(context.Context) []Row {
	if rows := t.unless(t.variable); rows != nil {
		return rows
	}
	now := t.set().Now()
	first := t.schedule.Next(now)
	second := t.schedule.Next(first)
	seen := t.variable + "=" + t.schedule.Spec + ": next at " + show.Second(first) + ", then at " + show.Second(second)
	if spec, ok := t.schedule.Schedule.(*cron.SpecSchedule); ok {
		zone := spec.Location.String()
		if spec.Location == time.Local {
			zone, _ = now.Zone()
			zone = "this machine's, " + zone
		}
		seen += "; time zone " + zone
	}
	if cycles := t.variable == "SCHEDULE" || t.variable == "ARCHIVE_SCHEDULE"; cycles && second.Sub(first) > seldom {
		return warn(seen, "look for records at least once a day: correct "+config.Prefix+t.variable)
	}
	return []Row{{State: OK, Seen: seen}}
}
