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
	}, nil, "table")
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

// Programs read the report: its fields stay.
func TestVerificationJSON(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	var out strings.Builder
	err := Verification(&out, &verify.Report{
		Depth: verify.Read, Since: at, Until: at.AddDate(0, 0, 1), Keys: []string{"ab"}, Heads: 2, Objects: 5, Bytes: 7, Records: 9,
		Streams: []verify.Stream{{
			Name: "archive", Tenant: "acme", First: 1, Newest: 3, SHA256: "cd", Entries: 3, Start: at, Cursor: at, Delivered: 9,
			Origin: "acme/houndtrail/archive/0123456789abcdef", Signed: true, Head: "head\n",
		}},
		Findings: []verify.Finding{{
			Code: verify.Forked, Severity: verify.Error, Stream: "archive", Entry: 3, Key: "archive/3", Text: "Two.", Advice: "Stop.",
		}},
		More: map[verify.Code]int{verify.Forked: 1}, Counts: map[verify.Severity]int{verify.Error: 2}, Unread: []string{"down"},
	}, nil, "json")
	if err != nil {
		t.Fatal(err)
	}
	want := `{"result":"NOT as committed: 2 errors in 3 entries and 5 objects (9 records); and not everything could be read.","sound":false,` +
		`"depth":"read","since":"2026-03-01T00:00:00Z","until":"2026-03-02T00:00:00Z","keys":["ab"],"kept_heads":2,` +
		`"streams":[{"stream":"archive","tenant":"acme","first":1,"newest":3,"sha256":"cd","entries":3,"start":"2026-03-01T00:00:00Z",` +
		`"cursor":"2026-03-01T00:00:00Z","delivered":9,"origin":"acme/houndtrail/archive/0123456789abcdef","signed":true,"head":"head\n"}],` +
		`"objects":5,"bytes":7,"records":9,"findings":[{"code":"forked","severity":"error","stream":"archive","entry":3,` +
		`"key":"archive/3","text":"Two.","advice":"Stop."}],"more":{"forked":1},"counts":{"error":2},"unread":["down"]}` + "\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}
