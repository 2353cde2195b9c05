package status

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/show"
)

type column = show.Column[*Row]

// narrowColumns fit a terminal. wideColumns have everything, with the long columns at the end.
func narrowColumns() []column {
	return []column{
		{Name: "STREAM", Cell: func(s *Row) string { return s.Stream }},
		{Name: "STATUS", Cell: func(s *Row) string { return s.Status }},
		{Name: "POSITION", Cell: func(s *Row) string { return show.Second(s.Cursor) }},
		{Name: "LAG", Cell: func(s *Row) string { return s.lagCell(ownClock) }},
		{Name: "RECORDS", Cell: (*Row).recordsCell},
		{Name: "COUNTED", Cell: (*Row).countedCell},
		{Name: "LEFT", Cell: (*Row).leftCell},
	}
}

func wideColumns(now time.Time) []column {
	return []column{
		{Name: "STREAM", Cell: func(s *Row) string { return s.Stream }},
		{Name: "STATUS", Cell: func(s *Row) string { return s.Status }},
		{Name: "POSITION", Cell: func(s *Row) string { return show.Instant(s.Cursor) }},
		{Name: "LAG", Cell: func(s *Row) string { return s.lagCell(" (local clock)") }},
		{Name: "LAST COMMIT", Cell: func(s *Row) string { return show.Second(s.CommittedAt) }},
		{Name: "SERIAL", Cell: (*Row).serialCell},
		{Name: "RECORDS", Cell: (*Row).recordsCell},
		{
			Name: "FILTERED", Needed: func(s *Row) bool { return s.Totals != nil && s.Totals.Filtered > 0 },
			Cell: (*Row).filteredCell,
		},
		{
			Name: "PAIRED", Needed: func(s *Row) bool { return s.Totals != nil && s.Totals.Paired > 0 },
			Cell: (*Row).pairedCell,
		},
		{
			Name: "WAITING", Needed: func(s *Row) bool { return s.Waiting > 0 },
			Cell: func(s *Row) string { return strconv.Itoa(s.Waiting) },
		},
		{Name: "COUNTED", Cell: (*Row).countedCell},
		{Name: "OLDEST AT SOURCE", Cell: (*Row).oldestCell},
		{Name: "TIME LEFT", Cell: (*Row).leftCell},
		{Name: "DESTINATION", Cell: func(s *Row) string { return s.Destination }},
		{Name: "LEASE", Cell: func(s *Row) string { return s.Lease.cell(now) }},
	}
}

// ownClock marks a lag in the narrow table that is not by the server's clock.
const ownClock = "*"

// Print prints a row for each stream, in the form table, wide or json.
func Print(w io.Writer, rows []*Row, form string, now time.Time) error {
	switch form {
	case "json":
		for _, row := range rows {
			if err := show.JSON(w, row); err != nil {
				return err
			}
		}
		return nil
	case "wide":
		return printTable(show.NewWideTable(w, wideColumns(now)), rows)
	}
	if err := printTable(show.NewTable(w, narrowColumns()), rows); err != nil {
		return err
	}
	if slices.ContainsFunc(rows, func(s *Row) bool { return s.Lag != nil && s.Clock != "server" }) {
		_, err := fmt.Fprintln(w, ownClock+" by this machine's clock")
		return err
	}
	return nil
}

func printTable(t *show.Table[*Row], rows []*Row) error {
	for _, row := range rows {
		if err := t.Add(row); err != nil {
			return err
		}
	}
	return t.Flush()
}

// lagCell has a mark if the lag is not by the server's clock.
func (s *Row) lagCell(mark string) string {
	if s.Lag == nil {
		return show.Unknown
	}
	lag := show.Duration(time.Duration(*s.Lag * float64(time.Second)))
	if s.Clock != "server" {
		lag += mark
	}
	return lag
}

func (s *Row) serialCell() string {
	if s.Serial == 0 {
		return show.Unknown
	}
	return strconv.FormatUint(s.Serial, 10)
}

func (s *Row) recordsCell() string {
	if s.Records == nil {
		return show.Unknown
	}
	return strconv.FormatInt(*s.Records, 10)
}

// pairedCell is how many intents the stream has not sent, since it sent their outcomes with the times of both.
func (s *Row) pairedCell() string {
	if s.Totals == nil {
		return show.Unknown
	}
	return strconv.FormatInt(s.Totals.Paired, 10)
}

// filteredCell is how many records the stream's filter has left out.
func (s *Row) filteredCell() string {
	if s.Totals == nil {
		return show.Unknown
	}
	return strconv.FormatInt(s.Totals.Filtered, 10)
}

// countedCell is the share of the records that BloodHound's own count confirms exactly.
func (s *Row) countedCell() string {
	if s.Totals == nil {
		return show.Unknown
	}
	all := s.Totals.Exact + s.Totals.Bounded + s.Totals.Unknown
	if all == 0 {
		return show.Unknown
	}
	return strconv.FormatInt(s.Totals.Exact*100/all, 10) + "%"
}

func (s *Row) oldestCell() string {
	switch s.Asked {
	case sourceOK:
		return show.Instant(s.Oldest)
	case sourceEmpty:
		return "no records"
	case sourceOffline:
		return "not asked"
	default:
		return "source failed"
	}
}

func (s *Row) leftCell() string {
	if s.Left == nil {
		return show.Unknown
	}
	if *s.Left <= 0 {
		return "over"
	}
	return show.Duration(time.Duration(*s.Left * float64(time.Second)))
}
