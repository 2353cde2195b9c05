package page

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/observe"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/sink/archive/verify"
)

// noon is the time of all pages in these tests.
func noon() time.Time { return time.Date(2026, 3, 12, 9, 41, 7, 0, time.UTC) }

// pages are the snapshots of the golden files, by their names.
func pages() map[string]observe.Snapshot {
	return map[string]observe.Snapshot{
		"healthy":  snapshot(healthy("acme", 1)...),
		"stopped":  snapshot(clocked(healthy("acme", 1))...),
		"refused":  snapshot(refused(healthy("acme", 1))...),
		"empty":    snapshot(unstarted("acme")...),
		"tenants":  snapshot(many()...),
		"silent":   snapshot(silent(healthy("acme", 1))...),
		"unread":   snapshot(unread(healthy("acme", 1))...),
		"findings": snapshot(findings(healthy("acme", 1))...),
	}
}

func snapshot(all ...observe.Stream) observe.Snapshot {
	return observe.Snapshot{At: noon().Add(-20 * time.Second), Streams: all}
}

// healthy are two streams with a year of history.
func healthy(tenant string, seed uint64) []observe.Stream {
	archive := streamOf(tenant, stream.Archive, "s3://acme-audit/houndtrail", seed)
	webhook := streamOf(tenant, stream.Webhook, "https://siem.acme.example.com/***", seed)
	return []observe.Stream{archive, webhook}
}

func streamOf(tenant, name, destination string, seed uint64) observe.Stream {
	now := noon()
	cursor := now.Add(-132 * time.Second)
	s := observe.Stream{Tenant: tenant, Name: name, Place: "s3://acme-audit/houndtrail/checkpoints", State: stream.StateOK}
	s.Newest = checkpoint.Stored{Signed: true, Checkpoint: checkpoint.Checkpoint{
		Kind: checkpoint.KindExport, Tenant: tenant, Stream: name, Serial: 61204, Source: "https://bloodhound.acme.example.com", Destination: destination,
		Start: now.AddDate(-1, 0, 12), Cursor: cursor, CommittedAt: now.Add(-62 * time.Second),
		Oldest: checkpoint.Sighting{CreatedAt: now.AddDate(0, -3, 0), SeenAt: now.Add(-time.Hour)},
	}}
	s.Success = s.Newest.CommittedAt
	_ = s.Schedule.UnmarshalText([]byte("@every 5m"))
	s.Due = stream.Due(s.Schedule, 2*time.Minute, s.Success)
	s.Deadline = s.Retention.Deadline(cursor, s.Newest.Oldest)
	s.Verified = stream.JobOK
	s.Verification.SucceededAt = now.Add(-6*time.Hour - 41*time.Minute)
	past(&s, seed)
	return s
}

// past makes a year of days, and a day of commits every five minutes.
func past(s *observe.Stream, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 7))
	h := &s.History
	h.Days, h.Hours = map[time.Time]observe.Day{}, map[time.Time]int64{}
	today := noon().Truncate(24 * time.Hour)
	for d := s.Newest.Start.Truncate(24 * time.Hour); !d.After(today); d = d.AddDate(0, 0, 1) {
		is := observe.Day{Records: 700 + int64(r.IntN(900)), Count: checkpoint.CountExact}
		switch n := r.IntN(100); {
		case d.Weekday() == time.Saturday || d.Weekday() == time.Sunday:
			is.Records = int64(r.IntN(200))
		case n < 4:
			is.Count = checkpoint.CountBounded
		case n < 5:
			is.Count = checkpoint.CountUnknown
		}
		if r.IntN(40) == 0 {
			is = observe.Day{Count: checkpoint.CountExact}
		}
		h.Days[d] = is
		s.Newest.Totals.Delivered += is.Records
	}
	s.Newest.Totals.Exact = s.Newest.Totals.Delivered - 512
	s.Newest.Totals.Bounded = 512
	for i := range 24 {
		at := noon().Truncate(time.Hour).Add(-time.Duration(i) * time.Hour)
		if h.Hours[at] = int64(r.IntN(9)); at.Hour() > 6 && at.Hour() < 19 {
			h.Hours[at] = 60 + int64(r.IntN(90))
		}
	}
	for i := range uint64(280) {
		at := s.Newest.CommittedAt.Add(-time.Duration(i) * 5 * time.Minute)
		end := at.Add(-70 * time.Second)
		c := observe.Commit{
			Serial: s.Newest.Serial - i, Kind: checkpoint.KindExport, At: at, Start: end.Add(-5 * time.Minute), End: end, Cursor: end,
			Fresh: 3 + r.IntN(14), Objects: 1, Count: &checkpoint.ServerCount{Status: checkpoint.CountExact},
		}
		if i == 4 {
			c.Late, c.Count = 1, &checkpoint.ServerCount{Status: checkpoint.CountBounded, AtLeast: 11, AtMost: 12}
		}
		h.Commits = append(h.Commits, c)
	}
}

// stands lets a stream stand still since a time.
func stands(s *observe.Stream, since time.Time) {
	s.Newest.Cursor, s.Newest.CommittedAt = since.Add(-5*time.Minute), since.Add(-3*time.Minute)
	s.Success = s.Newest.CommittedAt
	s.Due = stream.Due(s.Schedule, 2*time.Minute, s.Success)
	s.Deadline = s.Retention.Deadline(s.Newest.Cursor, s.Newest.Oldest)
	h := &s.History
	for at := range h.Hours {
		if !at.Before(s.Newest.Cursor) {
			delete(h.Hours, at)
		}
	}
	for len(h.Commits) > 0 && h.Commits[0].At.After(since) {
		h.Commits = h.Commits[1:]
	}
}

// fails lets a stream fail since a time.
func fails(s *observe.Stream, since time.Time, f checkpoint.Failure) {
	stands(s, since)
	f.At, f.Since = noon().Add(-time.Minute), since
	f.Tries = int(noon().Sub(since)/(5*time.Minute)) + 1
	s.Failure, s.Err, s.State = f, stream.LastRun(f), f.State
	s.Due = s.Schedule.Next(s.Schedule.Next(since)).Add(stream.Lateness)
}

func clocked(all []observe.Stream) []observe.Stream {
	for i := range all {
		fails(&all[i], noon().Add(-5*time.Hour-11*time.Minute), checkpoint.Failure{
			State: stream.StateClock, Stage: string(exporter.StageSource), Code: 6,
			Reason: "source: the clock of https://bloodhound.acme.example.com says 2026-03-12T10:55:15Z, and here it is 2026-03-12T09:41:07Z",
		})
	}
	return all
}

func refused(all []observe.Stream) []observe.Stream {
	fails(&all[1], noon().Add(-3*time.Hour-6*time.Minute), checkpoint.Failure{
		State: stream.StateFailed, Stage: string(exporter.StageSink), Code: 4,
		Reason: `sink: post to webhook https://siem.acme.example.com/***: the receiver answered 403 Forbidden, "token disabled"`,
	})
	all[1].Paused = noon().Add(4 * time.Minute)
	return all
}

func unstarted(tenant string) (all []observe.Stream) {
	for _, name := range []string{stream.Archive, stream.Webhook} {
		all = append(all, observe.Stream{Tenant: tenant, Name: name, State: stream.StateNotStarted, Due: noon().Add(time.Hour)})
	}
	return all
}

func silent(all []observe.Stream) []observe.Stream {
	for i := range all {
		stands(&all[i], noon().Add(-9*time.Hour))
		all[i].State, all[i].Err = stream.StateStale, fmt.Errorf("%w: the last sign of life is of 00:38", stream.ErrStale)
	}
	return all
}

func unread(all []observe.Stream) []observe.Stream {
	for i := range all {
		all[i].State = stream.StateUnreadable
		all[i].Err = errors.New("read s3://acme-audit/houndtrail/checkpoints/archive/state/latest: AccessDenied")
	}
	return all
}

func findings(all []observe.Stream) []observe.Stream {
	s := &all[0]
	s.State, s.Verified = stream.StateVerified, stream.JobFinding
	s.Err = fmt.Errorf("%w: %w: an object differs", stream.ErrVerification, stream.ErrTampered)
	s.Verification.State, s.Verification.FailedAt = stream.JobFinding, noon().Add(-6*time.Hour)
	s.Verification.Findings = map[verify.Severity]int{verify.Error: 2}
	d := noon().Truncate(24*time.Hour).AddDate(0, 0, -40)
	s.History.Days[d] = observe.Day{Records: 61, Count: checkpoint.CountExact, Holes: 1}
	return all
}

// many are twelve tenants: one has stopped, one catches up, and one's receiver refuses.
func many() (all []observe.Stream) {
	for i, name := range []string{"alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliet", "kilo", "lima"} {
		one := healthy(name, uint64(i+2))
		switch name {
		case "bravo", "india", "kilo":
			one = one[:1]
		case "lima":
			one = one[1:]
		case "delta":
			for i := range one {
				fails(&one[i], noon().Add(-76*time.Hour), checkpoint.Failure{
					State: stream.StateChanged, Stage: string(exporter.StageSource), Code: 6, Reason: "the newest delivered record is gone",
				})
			}
		case "golf":
			one = refused(one)
		case "juliet":
			one[0].Newest.Cursor = noon().Add(-31 * 24 * time.Hour)
			one[0].Deadline = noon().Add(9 * 24 * time.Hour)
			one[1].Newest.Cursor = noon().Add(-3 * 24 * time.Hour)
		case "hotel":
			one[0].Schedule = config.Schedule{}
			one[0].Verified = ""
		}
		all = append(all, one...)
	}
	return all
}
