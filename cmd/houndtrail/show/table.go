package show

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// A Column is one of a table of rows.
type Column[Row any] struct {
	Name string
	Cell func(Row) string
	// Needed, if set, tells that a row has something to say there: a table in which no row has does without the column.
	Needed func(Row) bool
}

// block is how many rows are held until they are printed: a journal of years is not held in memory.
const block = 1000

// A Table prints rows a block at a time, since only then it is known how wide the columns are, and which are needed. Columns
// only ever get wider, and new ones have a heading of their own.
type Table[Row any] struct {
	w       io.Writer
	width   int // of a line, at most; 0 for no bound
	columns []Column[Row]

	rows   []Row
	needed []bool // by column
	shown  []bool // the columns of the last heading; nil before there is one
	widths []int  // of those that are shown
}

// NewTable is a table that fits a terminal if what comes last gives way.
func NewTable[Row any](w io.Writer, columns []Column[Row]) *Table[Row] {
	t := NewWideTable(w, columns)
	t.width = Terminal
	return t
}

// NewWideTable is a table with all the room that it needs.
func NewWideTable[Row any](w io.Writer, columns []Column[Row]) *Table[Row] {
	t := &Table[Row]{w: w, columns: columns, needed: make([]bool, len(columns))}
	for i, c := range columns {
		t.needed[i] = c.Needed == nil
	}
	return t
}

// Add prints a row, now or later.
func (t *Table[Row]) Add(row Row) error {
	for i, c := range t.columns {
		t.needed[i] = t.needed[i] || c.Needed(row)
	}
	if t.rows = append(t.rows, row); len(t.rows) < block {
		return nil
	}
	return t.Flush()
}

// Empty tells that nothing was added yet.
func (t *Table[Row]) Empty() bool { return t.shown == nil && len(t.rows) == 0 }

// Flush prints the rows that are held.
func (t *Table[Row]) Flush() error {
	if len(t.rows) == 0 {
		return nil
	}
	var lines [][]string
	if !slices.Equal(t.shown, t.needed) {
		t.shown = slices.Clone(t.needed)
		heading := t.line(func(c Column[Row]) string { return c.Name })
		lines, t.widths = append(lines, heading), make([]int, len(heading))
	}
	for _, row := range t.rows {
		lines = append(lines, t.line(func(c Column[Row]) string { return c.Cell(row) }))
	}
	t.rows = t.rows[:0]
	for _, line := range lines {
		for i, cell := range line {
			t.widths[i] = max(t.widths[i], utf8.RuneCountInString(cell))
		}
	}
	var text strings.Builder
	for _, line := range lines {
		text.WriteString(t.text(line) + "\n")
	}
	_, err := io.WriteString(t.w, text.String())
	return err
}

// line are the cells of the columns that are shown.
func (t *Table[Row]) line(cell func(Column[Row]) string) (cells []string) {
	for i, c := range t.columns {
		if t.shown[i] {
			cells = append(cells, cell(c))
		}
	}
	return cells
}

// text is a line as it is printed.
func (t *Table[Row]) text(cells []string) string {
	var b strings.Builder
	used, last := 0, len(cells)-1
	for i, cell := range cells[:last] {
		fmt.Fprintf(&b, "%-*s  ", t.widths[i], cell)
		used += t.widths[i] + len("  ")
	}
	if t.width > 0 {
		return b.String() + Cut(cells[last], max(t.width-used, 1))
	}
	return b.String() + cells[last]
}
