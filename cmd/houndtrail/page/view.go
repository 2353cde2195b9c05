package page

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/observe"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
)

// A view is the page in words and numbers: the template only arranges them.
type view struct {
	Title, Scope, Source string
	Server, Version      string
	Now, NowISO          string
	Level, Icon, Tab     string
	Verdict, Sub         string
	Every                int // seconds
	Problems             []problem
	Many                 bool
	Tenants              []tenantRow
	Streams              []streamRow
	Retention            *retention
	Evidence             []evidence
	Hours                *hours
	Calendar             *calendar
	Commits              []commitRow
	Note                 string
}

// A shown stream is a stream with its condition.
type shown struct {
	*observe.Stream
	condition
}

// goesOn tells whether the export itself is well.
func (s shown) goesOn() bool {
	return s.rank >= rankJob || s.State == stream.StateVerified || s.State == stream.StateCompaction
}

// build makes the page of a snapshot. names allows names of hosts and buckets, and the texts of errors. tenant is the only tenant to
// show; "" for all.
func build(s observe.Snapshot, o Options, tenant string, names bool, now time.Time) *view {
	now = now.UTC()
	v := &view{
		Server: o.Server, Version: o.Version, Every: int(Refresh.Seconds()),
		Now: now.Format("Mon 2006-01-02 15:04:05"), NowISO: now.Format(time.RFC3339),
	}
	var all []shown
	for i := range s.Streams {
		if tenant == "" || s.Streams[i].Tenant == tenant {
			all = append(all, shown{&s.Streams[i], of(&s.Streams[i], now)})
		}
	}
	byTenant := group(all)
	switch {
	case len(all) == 0:
		v.nothing(s, names)
		return v
	case len(byTenant) > 1:
		v.many(byTenant, now)
	default:
		v.one(byTenant[0], names, now)
	}
	for i, one := range all {
		p, is := problemOf(one, names, now)
		if n := len(v.Problems); is && i > 0 && n > 0 && alike(all[i-1], one) { // one cause, and one command for both streams
			last := &v.Problems[n-1]
			last.What = fmt.Sprintf("%s and %s: %s", all[i-1].Name, one.Name, one.word)
			last.Also = p.ID
		} else if is {
			v.Problems = append(v.Problems, p)
		}
	}
	slices.SortStableFunc(v.Problems, func(a, b problem) int { return cmp.Compare(severity(a.Level), severity(b.Level)) })
	v.reads(s, names, now)
	v.Tab = map[string]string{"ok": "ok", "info": "ok", "none": "not started", "warn": "attention", "bad": "STOPPED"}[v.Level]
	return v
}

// oldFacts is the age from which on a snapshot says nothing about the present.
const oldFacts = 10 * time.Minute

func severity(level string) int {
	return slices.Index([]string{"bad", "warn", "info", "none", "ok"}, level)
}

// group puts the streams of a tenant together, the tenant with the gravest condition first.
func group(all []shown) (groups [][]shown) {
	for _, s := range all {
		n := len(groups)
		if n > 0 && groups[n-1][0].Tenant == s.Tenant {
			groups[n-1] = append(groups[n-1], s)
		} else {
			groups = append(groups, []shown{s})
		}
	}
	slices.SortStableFunc(groups, func(a, b []shown) int { return cmp.Compare(worst(a).rank, worst(b).rank) })
	return groups
}

// worst is the stream with the gravest condition. Of two that are alike, the archive comes first: it alone decides whether something
// is lost.
func worst(all []shown) shown {
	return slices.MinFunc(all, func(a, b shown) int { return cmp.Compare(a.rank, b.rank) })
}

// nothing is the page without any stream.
func (v *view) nothing(s observe.Snapshot, names bool) {
	v.Title, v.Scope, v.Level, v.Icon, v.Tab = "no journal", "no tenant yet", "none", "none", "not started"
	v.Verdict = "Nothing is archived yet: there is no journal."
	v.Sub = "This page looks for journals every few minutes."
	switch {
	case s.Err != nil:
		v.Level, v.Icon, v.Tab = "warn", "unknown", "attention"
		v.Verdict = "The store cannot be read: whether anything is archived is not known."
		p := problem{
			Level: "warn", What: "The store cannot be listed", Why: "This program needs the rights to list and to read it.",
			Do: "Look at the set-up:", Command: "houndtrail doctor",
		}
		if names {
			p.Error = plain(s.Err.Error())
		}
		v.Problems = []problem{p}
		return
	case s.At.IsZero():
		v.Verdict = "This program has only just started, and has not read any journal yet."
		return
	}
	v.Problems = []problem{{
		Level: "none", What: "What to do first",
		Why: "The first run exports the whole history that BloodHound still has, oldest first, and founds the journal.",
		Do:  "Check login, role, clock, stores and receiver, then let the first run begin:",

		Command: "houndtrail doctor && houndtrail run --once",
	}}
}

// one is the page of one tenant.
func (v *view) one(all []shown, names bool, now time.Time) {
	v.Title, v.Scope = plain(all[0].Tenant), plain(all[0].Tenant)
	if names {
		v.Source = plain(all[0].Newest.Source)
	}
	bad := worst(all)
	v.Level, v.Icon = bad.level, bad.icon
	v.Verdict, v.Sub = verdict(all, now)
	for _, s := range all {
		v.Streams = append(v.Streams, streamRowOf(s, names, now))
		if s.Newest.Serial > 0 {
			v.Evidence = append(v.Evidence, evidenceOf(s, now))
			v.Commits = append(v.Commits, commitsOf(s.Stream, now)...)
		}
	}
	slices.SortStableFunc(v.Commits, func(a, b commitRow) int { return b.at.Compare(a.at) })
	v.Commits = v.Commits[:min(len(v.Commits), mostCommits)]
	first := all[0].Stream
	if first.Newest.Serial > 0 {
		v.Retention = retentionOf(first, now)
		v.Hours = hoursOf(first, now)
		v.Calendar = calendarOf([]*observe.Stream{first}, now)
	}
}

// many is the page of several tenants.
func (v *view) many(groups [][]shown, now time.Time) {
	v.Many = true
	v.Title = plural(int64(len(groups)), "tenant")
	v.Scope = v.Title
	bad := worst(groups[0])
	v.Level, v.Icon = bad.level, bad.icon
	var well int
	var ill []string
	var archives []*observe.Stream
	for _, g := range groups {
		v.Tenants = append(v.Tenants, tenantRowOf(g, now))
		archives = append(archives, g[0].Stream)
		if w := worst(g); w.rank == rankOK {
			well++
		} else {
			ill = append(ill, fmt.Sprintf("%s: %s", plain(w.Tenant), w.word))
		}
	}
	switch {
	case len(ill) == 0:
		v.Verdict = fmt.Sprintf("All %d tenants are well.", well)
	default:
		v.Verdict = fmt.Sprintf("%d of %d tenants are well. %s.", well, len(groups), shorten(ill, 3))
	}
	v.Sub = "Each row says up to which time everything of a tenant is delivered. The problems below say what to do."
	if len(ill) == 0 {
		v.Sub = "Each row says up to which time everything of a tenant is delivered."
	}
	v.Calendar = calendarOf(archives, now)
}

// shorten lists the first few.
func shorten(all []string, most int) string {
	if len(all) <= most {
		return strings.Join(all, "; ")
	}
	return fmt.Sprintf("%s; and %d more", strings.Join(all[:most], "; "), len(all)-most)
}

// reads says what the page itself could not read.
func (v *view) reads(s observe.Snapshot, names bool, now time.Time) {
	var unread uint64
	for i := range s.Streams {
		unread = max(unread, s.Streams[i].History.Unread)
	}
	switch {
	case s.Err != nil && names:
		v.Note = "The store could not be looked through for new tenants: " + plain(s.Err.Error())
	case s.Err != nil:
		v.Note = "The store could not be looked through for new tenants."
	case unread > 0:
		v.Note = fmt.Sprintf("The calendar is not whole yet: up to %s older entries of a journal are still to be read.", comma(int64(unread)))
	}
	if age := now.Sub(s.At); age > oldFacts {
		v.Level, v.Icon = "warn", "unknown"
		v.Sub = fmt.Sprintf("It was so %s ago: %s %s", about(age), v.Verdict, v.Sub)
		v.Verdict = "The facts of this page are old: whether the export still runs is not known."
	}
}
