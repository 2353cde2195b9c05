package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
)

// unknown is a cell without a value.
const unknown = "-"

func standingsJSON(w io.Writer, all []standing, _ time.Time) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	for _, s := range all {
		if err := e.Encode(s); err != nil {
			return err
		}
	}
	return nil
}

// A statusColumn is one of the table of standings.
type statusColumn struct {
	name string
	cell func(*standing) string
}

// narrowColumns fit a terminal of 80 columns, and wideColumns tell everything; what can be long comes last.
func narrowColumns() []statusColumn {
	return []statusColumn{
		{"STREAM", func(s *standing) string { return s.Stream }},
		{"STATUS", func(s *standing) string { return s.Status }},
		{"POSITION", func(s *standing) string { return secondCell(s.Cursor) }},
		{"LAG", func(s *standing) string { return s.lagCell(ownClock) }},
		{"RECORDS", (*standing).recordsCell},
		{"COUNTED", (*standing).countedCell},
		{"LEFT", (*standing).leftCell},
	}
}

func wideColumns(now time.Time) []statusColumn {
	return []statusColumn{
		{"STREAM", func(s *standing) string { return s.Stream }},
		{"STATUS", func(s *standing) string { return s.Status }},
		{"POSITION", func(s *standing) string { return instantCell(s.Cursor) }},
		{"LAG", func(s *standing) string { return s.lagCell(" (local clock)") }},
		{"LAST COMMIT", (*standing).commitCell},
		{"SERIAL", (*standing).serialCell},
		{"RECORDS", (*standing).recordsCell},
		{"COUNTED", (*standing).countedCell},
		{"OLDEST AT SOURCE", (*standing).oldestCell},
		{"TIME LEFT", (*standing).leftCell},
		{"DESTINATION", func(s *standing) string { return s.Destination }},
		{"LEASE", func(s *standing) string { return s.Lease.cell(now) }},
	}
}

// ownClock marks a lag of the narrow table that is not by the server's clock.
const ownClock = "*"

// standingsTable prints a row for each stream.
func standingsTable(w io.Writer, all []standing, _ time.Time) error {
	if err := printStandings(w, all, narrowColumns()); err != nil {
		return err
	}
	for i := range all {
		if all[i].Lag != nil && all[i].Clock != "server" {
			_, err := fmt.Fprintln(w, ownClock+" by this machine's clock")
			return err
		}
	}
	return nil
}

func standingsWide(w io.Writer, all []standing, now time.Time) error {
	return printStandings(w, all, wideColumns(now))
}

func printStandings(w io.Writer, all []standing, columns []statusColumn) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(cell func(statusColumn) string) {
		cells := make([]string, len(columns))
		for i, c := range columns {
			cells[i] = cell(c)
		}
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	line(func(c statusColumn) string { return c.name })
	for i := range all {
		line(func(c statusColumn) string { return c.cell(&all[i]) })
	}
	return t.Flush()
}

// secondCell is an instant for a table that has no room for more.
func secondCell(t time.Time) string {
	if t.IsZero() {
		return unknown
	}
	return t.UTC().Format(time.RFC3339)
}

func instantCell(t time.Time) string {
	if t.IsZero() {
		return unknown
	}
	return t.Format(time.RFC3339Nano)
}

// lagCell has a mark where the lag is not by the server's clock.
func (s *standing) lagCell(mark string) string {
	if s.Lag == nil {
		return unknown
	}
	lag := short(time.Duration(*s.Lag * float64(time.Second)))
	if s.Clock != "server" {
		lag += mark
	}
	return lag
}

func (s *standing) commitCell() string {
	return secondCell(s.CommittedAt)
}

func (s *standing) serialCell() string {
	if s.Serial == 0 {
		return unknown
	}
	return strconv.FormatUint(s.Serial, 10)
}

func (s *standing) recordsCell() string {
	if s.Records == nil {
		return unknown
	}
	return strconv.FormatInt(*s.Records, 10)
}

// countedCell is the share of the records that BloodHound's own count confirms exactly.
func (s *standing) countedCell() string {
	if s.Totals == nil {
		return unknown
	}
	all := s.Totals.Exact + s.Totals.Bounded + s.Totals.Unknown
	if all == 0 {
		return unknown
	}
	return strconv.FormatInt(s.Totals.Exact*100/all, 10) + "%"
}

func (s *standing) oldestCell() string {
	switch s.Asked {
	case sourceOK:
		return instantCell(s.Oldest)
	case sourceEmpty:
		return "no records"
	case sourceOffline:
		return "not asked"
	default:
		return "source failed"
	}
}

func (s *standing) leftCell() string {
	if s.Left == nil {
		return unknown
	}
	if *s.Left <= 0 {
		return "over"
	}
	return short(time.Duration(*s.Left * float64(time.Second)))
}

func (l leaseState) cell(now time.Time) string {
	who := holderCell(l.Holder) + " since " + l.Since.Format(time.RFC3339)
	switch {
	case l.State == "":
		return unknown
	case l.State == leaseFree:
		return leaseFree
	case l.State == leaseAbandoned:
		return "free; abandoned by " + who
	case l.Expires.IsZero():
		return "held by " + who + ", while that process runs"
	default:
		return fmt.Sprintf("held by %s; expires in %s unless renewed", who, short(l.Expires.Sub(now)))
	}
}

// holderCell is made safe for a terminal: the lease is an object that others may have written.
func holderCell(h checkpoint.Holder) string {
	return fmt.Sprintf("houndtrail %s on %s (pid %d)", cell(h.Version), cell(h.Host), h.PID)
}

// short is a duration as people say it: its two largest units, down to a second.
func short(d time.Duration) string {
	const day = 24 * time.Hour
	d = d.Round(time.Second)
	sign := ""
	if d < 0 {
		sign, d = "-", -d
	}
	for _, unit := range []struct {
		large, small         time.Duration
		largeName, smallName string
	}{{day, time.Hour, "d", "h"}, {time.Hour, time.Minute, "h", "m"}, {time.Minute, time.Second, "m", "s"}} {
		if d < unit.large {
			continue
		}
		text := fmt.Sprintf("%s%d%s", sign, d/unit.large, unit.largeName)
		if rest := d % unit.large / unit.small; rest > 0 {
			text += fmt.Sprintf("%d%s", rest, unit.smallName)
		}
		return text
	}
	return fmt.Sprintf("%s%ds", sign, d/time.Second)
}
