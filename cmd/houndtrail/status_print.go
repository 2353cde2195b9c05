package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"houndtrail/checkpoint"
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

// standingsTable prints a row for each stream. What can be long comes last.
func standingsTable(w io.Writer, all []standing, now time.Time) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "STREAM\tSTATUS\tCURSOR\tLAG\tLAST COMMIT\tSERIAL\tRECORDS\tCOUNTED\tOLDEST AT SOURCE\tTIME LEFT\tDESTINATION\tLEASE")
	for _, s := range all {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.Stream, s.Status, instantCell(s.Cursor), s.lagCell(),
			s.commitCell(), s.serialCell(), s.recordsCell(), s.countedCell(), s.oldestCell(), s.leftCell(), s.Destination, s.Lease.cell(now))
	}
	return t.Flush()
}

func instantCell(t time.Time) string {
	if t.IsZero() {
		return unknown
	}
	return t.Format(time.RFC3339Nano)
}

func (s *standing) lagCell() string {
	if s.Lag == nil {
		return unknown
	}
	lag := short(time.Duration(*s.Lag * float64(time.Second)))
	if s.Clock != "server" {
		lag += " (local clock)"
	}
	return lag
}

func (s *standing) commitCell() string {
	if s.CommittedAt.IsZero() {
		return unknown
	}
	return s.CommittedAt.Format(time.DateTime)
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
