package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/show"
	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/config/setting"
	"github.com/houndtrail/houndtrail/exporter"
)

var errUnbounded = errors.New("BloodHound shows records of other times than those that it is asked for (before and after)")

// log asks for the newest record. The request needs the permission, and its answer shows whether BloodHound obeys the bounds of
// time.
func (s *source) log(ctx context.Context) []Row {
	const advice = "check " + setting.BloodHoundURL + ", and whether a proxy or cache in front of BloodHound changes queries or answers"
	newest, ok, err := s.client.Newest(ctx)
	if err == nil {
		s.traits, err = s.client.Traits(ctx)
	}
	switch {
	case err != nil:
		return s.failed(err, advice)
	case s.traits.Unbounded:
		return failAs(at(exporter.StageSource, errUnbounded), errUnbounded.Error(), advice)
	case !ok:
		return okf("it answers, and has no record")
	case newest.Sub(s.clock.Server) > exporter.Apart:
		return warn("the newest record is stamped "+show.Instant(newest)+", which is in the future by BloodHound's clock",
			"find out whether the clock of a BloodHound server is or was wrong")
	}
	return okf("it answers; the newest record is of %s", show.Instant(newest))
}

func (s *source) oldest(ctx context.Context) []Row {
	now := s.clock.Server
	extent, err := s.client.Extent(ctx, now)
	switch {
	case err != nil:
		return s.failed(err, "ask the people who run BloodHound")
	case extent.Empty:
		return okf("there is no record yet")
	}
	seen := "no record is older than " + show.Second(extent.Oldest)
	retention := exporter.Retention(s.config.Retention)
	sighting := checkpoint.Sighting{CreatedAt: extent.Oldest, SeenAt: now}
	if retention.Off {
		return okf("%s; retention is not watched (%sRETENTION=off)", seen, config.Prefix)
	}
	kept := retention.Limit(sighting)
	if kept == 0 {
		return okf("%s; BloodHound seems to drop none", seen)
	}
	seen += "; BloodHound is expected to keep records for " + show.Duration(kept)
	if kept < now.Sub(extent.Oldest) {
		return warn(seen+", and has older ones", "correct "+config.Prefix+"RETENTION, or set it to auto")
	}
	return []Row{{State: OK, Seen: seen}}
}

// farFuture is later than each record that BloodHound can have.
func farFuture() time.Time { return time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC) }

// count finds out whether the server's own count can prove a window. For that, the count must obey the one filter by time.
func (s *source) count(ctx context.Context) []Row {
	const off = setting.VerifyCount + "=off saves the requests"
	if s.config.VerifyCount == config.VerifyOff {
		return warn("windows are not compared with BloodHound's count", "set "+setting.VerifyCount+"=window")
	}
	from := farFuture()
	n, known, err := s.client.Count(ctx, from)
	switch {
	case err != nil:
		return s.failed(err, "check "+setting.BloodHoundURL+"; "+off)
	case !known:
		return warn("this BloodHound tells no count, so that it does not prove that a window is whole", off)
	case n != 0:
		return warn(fmt.Sprintf("BloodHound counts %s from %s on: it ignores the filter, so that its count proves nothing",
			several(int(n), "record"), from.Format(time.DateOnly)), "ask whether a proxy or cache changes the query; "+off)
	}
	return okf("BloodHound counts, and obeys the filter")
}

func (s *source) quirks(context.Context) []Row {
	t := s.traits
	var found []string
	if t.Unsorted {
		found = append(found, "it always answers newest first, as builds from before March 2024 do")
	}
	if t.Audits {
		found = append(found, "it audits every request, also those of Houndtrail ("+config.Prefix+"EXCLUDE_SELF), and may keep three months only")
	}
	if t.Count < 0 && !t.Dark {
		found = append(found, "it tells no count")
	}
	if t.Dark {
		return warn(strings.Join(append(found, "it cannot print one of the newest or oldest records"), "; "),
			"a run stops in front of such a record, unless "+setting.OnBadRecord+"=quarantine; ask the people who run BloodHound to repair it")
	}
	switch {
	case len(found) > 0:
		return okf("%s: Houndtrail knows how to go on", strings.Join(found, "; "))
	case t.Records < 2:
		return okf("none can be seen in a log of %s", several(t.Records, "record"))
	}
	return okf("none found")
}
