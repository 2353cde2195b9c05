package show

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// A Column is a column of a table.
type Column[Row any] struct {
	Name string
	Cell func(Row) string
	// If Needed is set, it tells whether a row needs the column. If no row needs it, the table leaves the column out.
	Needed func(Row) bool
}

// block is how many rows a table holds before it prints them: it must not hold all rows of a journal of several years in
// memory.
const block = 1000

// A Table prints its rows in blocks: the rows of a block tell which columns are needed, and how wide they are. Columns become
// wider, and never narrower. If another column becomes needed, the table prints a new heading.
type Table[Row any] struct {
	w       io.Writer
	width   int // the most characters of a line; 0 for no limit
	columns []Column[Row]

	rows   []Row
	needed []bool // by column
	shown  []bool // the columns of the last heading; nil before the first one
	widths []int  // the widths of the columns in the heading
}

// NewTable is a table that fits a terminal: it cuts the last column short.
func NewTable[Row any](w io.Writer, columns []Column[Row]) *Table[Row] {
	t := NewWideTable(w, columns)
	t.width = Terminal
	return t
}

// NewWideTable is a table that is as wide as its contents.
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

// Empty tells whether no row was added yet.
func (t *Table[Row]) Empty() bool { return t.shown == nil && len(t.rows) == 0 }

// Flush prints the rows that the table holds.
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

// line has the cells of the columns in the heading.
func (t *Table[Row]) line(cell func(Column[Row]) string) (cells []string) {
	for i, c := range t.columns {
		if t.shown[i] {
			cells = append(cells, cell(c))
		}
	}
	return cells
}

// text is a line, ready to be printed.
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
