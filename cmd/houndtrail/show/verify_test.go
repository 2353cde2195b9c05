package show

import (
	"strings"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/sink/archive/verify"
)

func TestCounter(t *testing.T) {
	t.Parallel()
	c := NewCounter(new(strings.Builder), "entries and objects")
	for _, want := range []struct {
		done, all int64
		took      time.Duration
		text      string
	}{
		{500, 2000, 5 * time.Second, "  [#####...............]  25%  500 entries and objects, 100/s, 15s left"},
		{500, 0, 5 * time.Second, "  500 entries and objects, 100/s"},
		{0, 2000, 0, "  0 entries and objects, 0/s"},
	} {
		if got := c.text(want.done, want.all, want.took); got != want.text {
			t.Errorf("%d of %d after %s:\n%q, want\n%q", want.done, want.all, want.took, got, want.text)
		}
	}
}

// Lines fit a terminal, and a finding cannot move its cursor.
func TestVerification(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	err := Verification(&out, &verify.Report{
		Depth: verify.Objects, Objects: 5, Records: 9, Counts: map[verify.Severity]int{verify.Error: 1},
		Streams: []verify.Stream{{Name: "archive-backfill", First: 1, Newest: 1234567, Delivered: 1234567890, SHA256: strings.Repeat("a", 64)}},
		Findings: []verify.Finding{{
			Code: verify.EntryChanged, Severity: verify.Error, Stream: "archive", Entry: 3, Text: strings.Repeat("Entry 3 \x1b[31m differs. ", 9),
			Advice: "Restore it.",
		}},
	}, "table")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(out.String(), "\n") {
		if len([]rune(line)) > Terminal || strings.Contains(line, "\x1b") {
			t.Errorf("a line of %d characters: %q", len(line), line)
		}
	}
	for _, want := range []string{"\nERROR entry-changed in archive\n", "\nTo do: Restore it.\n", "\nNOT as committed: 1 error in 0 entries and 5"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}
