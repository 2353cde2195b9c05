package show

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// TestEntriesTable: the table has the count of each window in a word, or in the wide table as two numbers. It has the rare
// columns only if an entry needs them.
func TestEntriesTable(t *testing.T) {
	t.Parallel()
	window := window.Window{Start: march, End: march.Add(time.Hour)}
	entry := func(serial uint64, counted *checkpoint.ServerCount) checkpoint.Stored {
		return checkpoint.Stored{SHA256: "0123456789abcdef", Checkpoint: checkpoint.Checkpoint{
			Kind: checkpoint.KindExport, Serial: serial, Window: window, CommittedAt: march.Add(time.Hour),
			Records: checkpoint.Counts{Read: 390, Fresh: 380, Duplicate: 10, Late: 1}, ServerCount: counted,
			Objects: []checkpoint.Object{{Bytes: 5}, {Bytes: 7}},
		}}
	}
	entries := []checkpoint.Stored{
		entry(1, &checkpoint.ServerCount{Status: checkpoint.CountExact, AtLeast: 390, AtMost: 390}),
		entry(2, &checkpoint.ServerCount{Status: checkpoint.CountBounded, AtLeast: 380, AtMost: 400}),
		entry(3, &checkpoint.ServerCount{Status: checkpoint.CountUnknown}),
		entry(4, &checkpoint.ServerCount{Status: checkpoint.CountOff}),
		entry(5, nil),
	}
	const row = "  export  2026-03-01T13:00:00Z  2026-03-01T12:00:00Z  2026-03-01T13:00:00Z  390   380    10         1     "
	const plain = "" +
		"SERIAL  KIND    COMMITTED             WINDOW START          WINDOW END            READ  FRESH  DUPLICATE  LATE  COUNT     OBJECTS  BYTES  SHA-256\n" +
		"1     " + row + "exact     2        12     0123456789ab\n" +
		"2     " + row + "380..400  2        12     0123456789ab\n" +
		"3     " + row + "unknown   2        12     0123456789ab\n" +
		"4     " + row + "off       2        12     0123456789ab\n" +
		"5     " + row + "-         2        12     0123456789ab\n"
	if diff := cmp.Diff(plain, tableOf(t, "wide", entries...)); diff != "" {
		t.Errorf("the table (-want +got):\n%s", diff)
	}
	entries[0].Holes = make([]checkpoint.Hole, 3)
	entries[1].Changed = &checkpoint.Changes{Altered: 2, Gone: 4}
	const marked = "" +
		"SERIAL  KIND    COMMITTED             WINDOW START          WINDOW END            READ  FRESH  DUPLICATE  LATE  COUNT     HOLES  CHANGED  OBJECTS  BYTES  SHA-256\n" +
		"1     " + row + "exact     3      0        2        12     0123456789ab\n" +
		"2     " + row + "380..400  0      6        2        12     0123456789ab\n"
	if diff := cmp.Diff(marked, tableOf(t, "wide", entries[:2]...)); diff != "" {
		t.Errorf("the table (-want +got):\n%s", diff)
	}
	const narrow = "" +
		"SERIAL  KIND    WINDOW START          SPAN  FRESH  COUNT    HOLES  CHANGED\n" +
		"1       export  2026-03-01T12:00:00Z  1h    380    exact    3      0\n" +
		"2       export  2026-03-01T12:00:00Z  1h    380    bounded  0      6\n"
	if diff := cmp.Diff(narrow, tableOf(t, "table", entries[:2]...)); diff != "" {
		t.Errorf("the narrow table (-want +got):\n%s", diff)
	}
	if got := tableOf(t, "table"); got != "The journal is empty: nothing has been committed yet.\n" {
		t.Errorf("without entries: %s", got)
	}
	var b bytes.Buffer
	if err := NewEntries(&b, "table").End(false); err != nil || b.Len() > 0 {
		t.Errorf("of a journal of which nothing can be read: %v, %s", err, &b)
	}
}

func tableOf(t *testing.T, form string, entries ...checkpoint.Stored) string {
	t.Helper()
	var b bytes.Buffer
	table := NewEntries(&b, form)
	for _, s := range entries {
		if err := table.Add(s); err != nil {
			t.Fatal(err)
		}
	}
	if err := table.End(true); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A long journal is printed while it is read, under one heading as long as the columns are the same.
func TestEntriesTableInBlocks(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	table := NewEntries(&b, "table")
	for serial := uint64(1); serial <= 3*block; serial++ {
		s := checkpoint.Stored{SHA256: "0123456789abcdef", Checkpoint: checkpoint.Checkpoint{Kind: checkpoint.KindExport, Serial: serial}}
		if serial == 2*block+10 {
			s.Holes = make([]checkpoint.Hole, 3)
		}
		if err := table.Add(s); err != nil {
			t.Fatal(err)
		}
		if lines := bytes.Count(b.Bytes(), []byte("\n")); serial%block == 1 && serial > 1 && uint64(lines) < serial {
			t.Errorf("%d lines are printed of %d entries", lines, serial)
		}
		if len(table.table.rows) > block {
			t.Fatalf("%d entries are held", len(table.table.rows))
		}
	}
	if err := table.End(true); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) != 3*block+2 {
		t.Fatalf("%d lines are printed of %d entries", len(lines), 3*block)
	}
	for i, line := range lines {
		heading := i == 0 || i == 2*block+1
		if heading != strings.HasPrefix(line, "SERIAL") || heading && strings.Contains(line, "HOLES") != (i > 0) {
			t.Errorf("line %d is %q", i, line)
		}
		if at := strings.Index(line, "export"); !heading && i <= block && at != strings.Index(lines[0], "KIND") {
			t.Errorf("line %d is not under the heading: %q", i, line)
		}
	}
}
