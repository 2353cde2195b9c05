package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/houndtrail/houndtrail/checkpoint"
)

// entriesJSON prints each entry as it comes.
type entriesJSON struct{ *json.Encoder }

func newEntriesJSON(w io.Writer) entriesJSON {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return entriesJSON{e}
}

func (e entriesJSON) add(s checkpoint.Stored) error { return e.Encode(s.Checkpoint) }
func (e entriesJSON) end(bool) error                { return nil }

// block is how many entries of a table are held until they are printed: a journal of years is not held in memory.
const block = 1000

// entriesTable prints entries a block at a time, since only then it is known how wide the columns are, and which are needed.
// Columns only ever get wider, and new ones have a heading of their own.
type entriesTable struct {
	w              io.Writer
	wide           bool // every column, instead of those that fit a terminal
	rows           []entryRow
	holes, changed bool   // that some entry has them
	heading        string // as printed last
	widths         []int
}

// An entryRow is what the table has room for.
type entryRow struct {
	narrow, wide   []string
	holes, changed int
}

// The columns, without those that hardly any journal needs.
//
//nolint:gochecknoglobals // constants
var (
	narrowEntry = []string{"SERIAL", "KIND", "WINDOW START", "SPAN", "FRESH", "COUNT"}
	wideEntry   = []string{
		"SERIAL", "KIND", "COMMITTED", "WINDOW START", "WINDOW END", "READ", "FRESH", "DUPLICATE", "LATE", "COUNT", "OBJECTS", "BYTES", "SHA-256",
	}
)

func (t *entriesTable) add(s checkpoint.Stored) error {
	row := entryRow{holes: len(s.Holes)}
	row.narrow = []string{
		fmt.Sprint(s.Serial), string(s.Kind), s.Window.Start.UTC().Format("2006-01-02T15:04Z"), short(s.Window.End.Sub(s.Window.Start)),
		fmt.Sprint(s.Records.Fresh), countCell(s.ServerCount),
	}
	row.wide = []string{
		fmt.Sprint(s.Serial), string(s.Kind), s.CommittedAt.UTC().Format(time.RFC3339),
		s.Window.Start.UTC().Format(time.RFC3339Nano), s.Window.End.UTC().Format(time.RFC3339Nano), // for HOUNDTRAIL_START
		fmt.Sprint(s.Records.Read), fmt.Sprint(s.Records.Fresh), fmt.Sprint(s.Records.Duplicate), fmt.Sprint(s.Records.Late),
		countCell(s.ServerCount),
		fmt.Sprint(len(s.Objects)), fmt.Sprint(totalBytes(s.Objects)), s.SHA256[:min(12, len(s.SHA256))],
	}
	if s.Changed != nil {
		row.changed = s.Changed.Altered + s.Changed.Gone
	}
	t.holes, t.changed = t.holes || row.holes > 0, t.changed || row.changed > 0
	t.rows = append(t.rows, row)
	if len(t.rows) < block {
		return nil
	}
	return t.flush()
}

// end prints the rest of the table. A journal without entries is empty only if it is sound.
func (t *entriesTable) end(sound bool) error {
	if len(t.rows) > 0 {
		return t.flush()
	}
	if t.heading != "" || !sound {
		return nil
	}
	_, err := fmt.Fprintln(t.w, "The journal is empty: nothing has been committed yet.")
	return err
}

// flush prints a block.
func (t *entriesTable) flush() error {
	heading := t.line(entryRow{narrow: narrowEntry, wide: wideEntry}, "HOLES", "CHANGED")
	lines := [][]string{heading}
	if said := strings.Join(heading, " "); said != t.heading {
		t.heading, t.widths = said, make([]int, len(heading))
	} else {
		lines = nil
	}
	for _, row := range t.rows {
		lines = append(lines, t.line(row, fmt.Sprint(row.holes), fmt.Sprint(row.changed)))
	}
	t.rows = t.rows[:0]
	for _, line := range lines {
		for i, cell := range line {
			t.widths[i] = max(t.widths[i], utf8.RuneCountInString(cell))
		}
	}
	var text strings.Builder
	for _, line := range lines {
		last := len(line) - 1
		for i, cell := range line[:last] {
			fmt.Fprintf(&text, "%-*s  ", t.widths[i], cell)
		}
		text.WriteString(line[last] + "\n")
	}
	_, err := io.WriteString(t.w, text.String())
	return err
}

// line is a line of the table. The columns that hardly any journal needs come behind the count.
func (t *entriesTable) line(row entryRow, holes, changed string) []string {
	cells := row.narrow
	if t.wide {
		cells = row.wide
	}
	behind := min(10, len(cells))
	all := append([]string{}, cells[:behind]...)
	if t.holes {
		all = append(all, holes)
	}
	if t.changed {
		all = append(all, changed)
	}
	return append(all, cells[behind:]...)
}

// countCell is what the server's own count says of a window: between which numbers it lies where it is not exact.
func countCell(c *checkpoint.ServerCount) string {
	switch {
	case c == nil:
		return unknown
	case c.Status == checkpoint.CountBounded:
		return fmt.Sprintf("%d..%d", c.AtLeast, c.AtMost)
	default:
		return c.Status
	}
}

func totalBytes(objects []checkpoint.Object) (total int64) {
	for _, o := range objects {
		total += o.Bytes
	}
	return total
}
