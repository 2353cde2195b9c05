// Package page makes the report of a verification for an auditor. The report is one HTML file without other files, for a screen,
// for paper and for a phone.
//
// The page claims only facts about the parts that the verification looked at, and names the other parts. It escapes every text,
// because any person who tries to log in can choose a name in the log.
package page

import (
	"crypto/sha256"
	_ "embed" // for the template and its style
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint/seal"
	"github.com/houndtrail/houndtrail/sink/archive/verify"
)

// Facts are the contents of a page.
type Facts struct {
	Report   *verify.Report
	Account  *Account         // the account that watched the verification
	Keys     []seal.PublicKey // the keys that the reader gave
	Archive  string           // the place whose objects were looked at; "" if none were
	Journals string           // the place of the journals
	All      bool             // the verification includes every journal that there can be
	Compared string           // the comparison of the days with the live server, in a sentence; "" if there was none
	Version  string           // the version of this program
	Made     time.Time
}

//go:embed page.tmpl
var source string

//go:embed page.css
var style string

// Write writes the page.
func Write(w io.Writer, f Facts) error {
	t, err := template.New("page").Funcs(template.FuncMap{
		"comma": comma, "plural": plural64, "add": func(a, b int) int { return a + b }, "plain": plain, "stamp": stamp, "date": dateOf,
		"cells": cells, "days": days31, "table": func(head string, rows []row, sum tally) any {
			return struct {
				Head string
				Rows []row
				Sum  tally
			}{head, rows, sum}
		},
	}).Parse(source)
	if err != nil {
		return fmt.Errorf("the page's template: %w", err)
	}
	var b strings.Builder
	if err := t.Execute(&b, f.view()); err != nil {
		return fmt.Errorf("make the page: %w", err)
	}
	_, err = io.WriteString(w, visible(b.String()))
	return err
}

// A view has the values that the template shows.
type view struct {
	Facts
	Style                      template.CSS
	Policy                     string
	Title                      string
	Level                      string // for the result: "ok", "bad", or "warn" if a part could not be read
	Result                     string
	Lead                       []string
	Journal                    []journal
	Checks                     []check
	Not                        []string
	Findings, Infos            []verify.Finding
	MoreFindings               int
	Calendars                  []section
	Undrawn                    string // the reason if there is no calendar
	Events                     []event
	Holes                      []hole
	MoreEvents, MoreHoles      int
	Notes                      []string
	People, Read               bool
	Sum                        tally
	Actions, Actors            []row
	Apart                      int64 // the difference between the sums and the report, in records
	Keyed                      []key
	Sample                     *sample
	Errors, Warnings           int
	DepthText, Period, Tenants string
}

// A journal is a row of the first page.
type journal struct {
	verify.Stream
	ID, Source string
}

// Once tells whether one key has signed the head.
func (j journal) Once() bool { return strings.Count(j.Head, "\n\u2014 ") == 1 }

// A key is a key that the reader gave.
type key struct{ Fingerprint, PEM string }

// A section is the calendar of a destination.
type section struct {
	Name string
	*calendar
}

// A sample is an object to check by hand.
type sample struct {
	Key, SHA256 string
	Serial      uint64
}

// mostFindings is the largest number of findings that a page shows.
const mostFindings = 200

func (f *Facts) view() *view {
	r := f.Report
	v := &view{
		Facts: *f, Result: plain(r.Result()), Checks: f.checks(), Not: f.unchecked(), Read: r.Depth == verify.Read,
		People: f.Account.names.people,
		Errors: r.Counts[verify.Error], Warnings: r.Counts[verify.Warning],
	}
	switch {
	case r.Counts[verify.Error] > 0:
		v.Level = "bad"
	case !r.Sound():
		v.Level = "warn"
	default:
		v.Level = "ok"
	}
	v.journals()
	v.found()
	v.happened()
	switch {
	case r.Depth == verify.Heads:
		v.Undrawn = "There is no calendar, since only the newest entries were read."
	case r.Sample != nil:
		v.Undrawn = "There is no calendar, since only a part of the entries was read."
	case len(r.Unread) > 0:
		v.Undrawn = "There is no calendar, since not everything could be read: a day whose entries were not read would look like a gap."
	default:
		v.calendars()
	}
	v.counted()
	for _, k := range f.Keys {
		v.Keyed = append(v.Keyed, key{groups(k.Fingerprint()), string(k.PEM(""))})
	}
	if d := f.Account.archive; d.sample != nil && f.Archive != "" && r.Sound() {
		v.Sample = &sample{d.sample.Key, d.sample.SHA256, d.sampled}
	}
	v.DepthText = map[verify.Depth]string{
		verify.Heads:   "heads: the newest entries of each journal, and no object",
		verify.Objects: "every entry; every object by size and SHA-256, without its records",
		verify.Read:    "every entry; every byte of every object",
	}[r.Depth]
	if r.Sample != nil {
		v.DepthText = "a part of the entries and of their objects: " + r.Sample.String()
	}
	v.Title = "Verification of " + v.Tenants
	v.Style = template.CSS(style + pageRules(v.Title, f.Made)) //nolint:gosec // pageRules lets no sign through that ends a string
	sum := sha256.Sum256([]byte(v.Style))
	v.Policy = "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; img-src data:; " +
		"base-uri 'none'; form-action 'none'"
	return v
}

// journals fills in the names of the journals and the tenants.
func (v *view) journals() {
	var tenants []string
	for _, s := range v.Report.Streams {
		j := journal{Stream: s, ID: s.Origin[strings.LastIndex(s.Origin, "/")+1:]}
		for _, d := range v.destinations() {
			if source := d.sources[s.Name]; source != "" {
				j.Source = plain(source)
			}
		}
		if s.Tenant != "" && !slices.Contains(tenants, s.Tenant) {
			tenants = append(tenants, s.Tenant)
		}
		v.Journal = append(v.Journal, j)
	}
	v.Tenants = plain(strings.Join(tenants, ", "))
	if v.Tenants == "" {
		v.Tenants = "an unknown tenant"
	}
}

func (v *view) destinations() []*destination {
	return []*destination{v.Account.archive, v.Account.receiver}
}

// found fills in the findings.
func (v *view) found() {
	for _, f := range v.Report.Findings {
		f.Text, f.Key = plain(f.Text), plain(f.Key)
		switch {
		case f.Severity == verify.Info:
			v.Infos = append(v.Infos, f)
		case len(v.Findings) < mostFindings:
			v.Findings = append(v.Findings, f)
		}
	}
	v.MoreFindings = v.Errors + v.Warnings - len(v.Findings)
}

// happened fills in the events and the holes.
func (v *view) happened() {
	for _, d := range v.destinations() {
		for _, e := range d.events {
			e.What = plain(e.What)
			v.Events = append(v.Events, e)
		}
		for _, h := range d.holes {
			h.Reason = plain(h.Reason)
			if !v.People {
				h.Reason = "left out, since it may quote the record"
			}
			v.Holes = append(v.Holes, h)
		}
		v.MoreEvents += d.moreEvents
		v.MoreHoles += d.moreHoles
	}
	slices.SortStableFunc(v.Events, func(a, b event) int { return a.At.Compare(b.At) })
	d := v.Account.archive
	note := func(n int64, format string, args ...any) {
		if n > 0 {
			v.Notes = append(v.Notes, fmt.Sprintf(format, args...))
		}
	}
	note(d.compactions, "%s replaced %s, with the same records. Each has an entry that names the old objects and the new one.",
		plural64(d.compactions, "compaction"), plural64(d.replaced, "object"))
	note(d.excluded, "%s of Houndtrail's own polling were left out of the archive on purpose. The server counted them, and a day is exact "+
		"with them.", plural64(d.excluded, "record"))
	note(v.Account.receiver.filtered, "The filter of the webhook left out %s on purpose. They were read, and the server counted them: a "+
		"day is exact with them. Each entry says which filter it was.", plural64(v.Account.receiver.filtered, "record"))
	note(v.Account.receiver.paired, "The webhook left out %s: it sent their outcomes with the times of both.",
		plural64(v.Account.receiver.paired, "intent"))
	note(d.changed, "%s had another content at the source, or were gone from it, when they were read again. The archive keeps them as they "+
		"were.", plural64(d.changed, "delivered record"))
	note(d.unplaced, "An adoption counted up to %s that no entry names. They are not in the numbers of the days.",
		plural64(d.unplaced, "record"))
}

// calendars makes a calendar for each destination.
func (v *view) calendars() {
	r := v.Report
	for _, d := range []struct {
		name string
		*destination
		numbers bool
	}{{"archive", v.Account.archive, true}, {"webhook", v.Account.receiver, false}} {
		days := map[int64]bool{}
		if d.numbers {
			days = found(r)
		}
		c := d.calendar(r.Since, r.Until, days, d.numbers)
		if c == nil {
			continue
		}
		v.Calendars = append(v.Calendars, section{d.name, c})
		if v.Period == "" {
			v.Period = c.From.Format(time.DateOnly) + " to " + c.To.Format(time.DateOnly)
		}
		text := fmt.Sprintf("Of %s of the %s, %s exact: as many records were read as the server counted.", plural(c.Days, "day"), d.name,
			isAre(c.count(exact)))
		if n := c.count(empty); n > 0 {
			text = strings.TrimSuffix(text, ".") + fmt.Sprintf("; %s empty: it counted 0.", isAre(n))
		}
		for _, s := range []state{bounded, unknown, gap, forgotten, finding} {
			if n := c.count(s); n > 0 {
				text = strings.TrimSuffix(text, ".") + fmt.Sprintf("; %s %s.", isAre(n), map[state]string{
					bounded: "between two counts", unknown: "without a count", gap: "with a gap", finding: "with a finding",
					forgotten: "forgotten on purpose",
				}[s])
			}
		}
		v.Lead = append(v.Lead, text)
	}
}

// counted fills in the records by name.
func (v *view) counted() {
	if !v.Read {
		return
	}
	n := v.Account.names
	v.Sum, v.Actions = n.sum, n.byAction()
	if v.People {
		v.Actors = n.byActor()
	}
	v.Apart = n.sum.Records - v.Report.Records
}
