package show

import (
	"fmt"
	"io"
	"strconv"

	"github.com/houndtrail/houndtrail/checkpoint"
)

// Entries prints the entries of a journal, in the form table, wide or json.
type Entries struct {
	w     io.Writer
	table *Table[checkpoint.Stored] // nil for json
}

// NewEntries returns a printer of entries. It prints nothing yet.
func NewEntries(w io.Writer, form string) *Entries {
	switch form {
	case "json":
		return &Entries{w: w}
	case "wide":
		return &Entries{w, NewWideTable(w, wideEntry())}
	default:
		return &Entries{w, NewTable(w, narrowEntry())}
	}
}

// Add prints an entry.
func (e *Entries) Add(s checkpoint.Stored) error {
	if e.table == nil {
		return JSON(e.w, s.Checkpoint)
	}
	return e.table.Add(s)
}

// End prints the rest. It prints that the journal is empty only if the journal is sound.
func (e *Entries) End(sound bool) error {
	if e.table == nil {
		return nil
	}
	if e.table.Empty() && sound {
		_, err := fmt.Fprintln(e.w, "The journal is empty: nothing has been committed yet.")
		return err
	}
	return e.table.Flush()
}

type entryColumn = Column[checkpoint.Stored]

// narrowEntry are the columns that fit a terminal.
func narrowEntry() []entryColumn {
	return []entryColumn{
		entrySerial(), entryKind(),
		{Name: "WINDOW START", Cell: func(s checkpoint.Stored) string { return Second(s.Window.Start) }},
		{Name: "SPAN", Cell: func(s checkpoint.Stored) string { return Duration(s.Window.End.Sub(s.Window.Start)) }},
		entryNumber("FRESH", func(s checkpoint.Stored) int { return s.Records.Fresh }),
		{Name: "COUNT", Cell: func(s checkpoint.Stored) string { return countWord(s.ServerCount) }},
		entrySeldom("FILTERED", filteredOf), entrySeldom("PAIRED", pairedOf), entrySeldom("WAITING", waitingOf),
		entrySeldom("HOLES", holesOf), entrySeldom("CHANGED", changedOf),
		entrySeldom("LETTERS", lettersOf), entryKeys(),
	}
}

// wideEntry has all columns.
func wideEntry() []entryColumn {
	return []entryColumn{
		entrySerial(), entryKind(),
		{Name: "COMMITTED", Cell: func(s checkpoint.Stored) string { return Second(s.CommittedAt) }},
		{Name: "WINDOW START", Cell: func(s checkpoint.Stored) string { return Instant(s.Window.Start) }}, // for HOUNDTRAIL_START
		{Name: "WINDOW END", Cell: func(s checkpoint.Stored) string { return Instant(s.Window.End) }},
		entryNumber("READ", func(s checkpoint.Stored) int { return s.Records.Read }),
		entryNumber("FRESH", func(s checkpoint.Stored) int { return s.Records.Fresh }),
		entryNumber("DUPLICATE", func(s checkpoint.Stored) int { return s.Records.Duplicate }),
		entryNumber("LATE", func(s checkpoint.Stored) int { return s.Records.Late }),
		{Name: "COUNT", Cell: func(s checkpoint.Stored) string { return countCell(s.ServerCount) }},
		entrySeldom("FILTERED", filteredOf), entrySeldom("PAIRED", pairedOf), entrySeldom("WAITING", waitingOf),
		entrySeldom("HOLES", holesOf), entrySeldom("CHANGED", changedOf),
		entrySeldom("LETTERS", lettersOf), entryKeys(),
		entryNumber("OBJECTS", func(s checkpoint.Stored) int { return len(s.Objects) }),
		{Name: "BYTES", Cell: func(s checkpoint.Stored) string { return strconv.FormatInt(bytesOf(s.Objects), 10) }},
		{Name: "SHA-256", Cell: func(s checkpoint.Stored) string { return s.SHA256[:min(12, len(s.SHA256))] }},
	}
}

func entrySerial() entryColumn {
	return entryColumn{Name: "SERIAL", Cell: func(s checkpoint.Stored) string { return strconv.FormatUint(s.Serial, 10) }}
}

func entryKind() entryColumn {
	return entryColumn{Name: "KIND", Cell: func(s checkpoint.Stored) string { return string(s.Kind) }}
}

func entryNumber(name string, of func(checkpoint.Stored) int) entryColumn {
	return entryColumn{Name: name, Cell: func(s checkpoint.Stored) string { return strconv.Itoa(of(s)) }}
}

// entrySeldom is a column that hardly any journal needs.
func entrySeldom(name string, of func(checkpoint.Stored) int) entryColumn {
	c := entryNumber(name, of)
	c.Needed = func(s checkpoint.Stored) bool { return of(s) > 0 }
	return c
}

// entryKeys is a column that only signed journals need.
func entryKeys() entryColumn {
	return entryColumn{
		Name:   "KEYS",
		Cell:   func(s checkpoint.Stored) string { return keyWords(s.Keys) },
		Needed: func(s checkpoint.Stored) bool { return s.Keys != nil },
	}
}

func filteredOf(s checkpoint.Stored) int { return s.Records.Filtered }

func pairedOf(s checkpoint.Stored) int { return s.Records.Paired + s.Records.Matched }

func waitingOf(s checkpoint.Stored) int { return len(s.Waiting) }

func holesOf(s checkpoint.Stored) int { return len(s.Holes) }

func lettersOf(s checkpoint.Stored) int { return len(s.Refused) }

func changedOf(s checkpoint.Stored) int {
	if s.Changed == nil {
		return 0
	}
	return s.Changed.Altered + s.Changed.Gone
}

// countWord is the status of the server's own count of a window.
func countWord(c *checkpoint.ServerCount) string {
	if c == nil {
		return Unknown
	}
	return c.Status
}

// countCell is that status. If the count is bounded, it adds the two bounds.
func countCell(c *checkpoint.ServerCount) string {
	if c != nil && c.Status == checkpoint.CountBounded {
		return fmt.Sprintf("%d..%d", c.AtLeast, c.AtMost)
	}
	return countWord(c)
}

func bytesOf(objects []checkpoint.Object) (total int64) {
	for _, o := range objects {
		total += o.Bytes
	}
	return total
}
