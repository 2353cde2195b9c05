package show

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
)

var march = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestCell(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"":                        "-",
		"alice":                   "alice",
		"Zoë 東京":                  "Zoë 東京",
		"a\tb\r\nc":               "a.b..c",
		"\x1b[2J\x1b]0;pwned\x07": ".[2J.]0;pwned.",
		"\u202egnp.exe":           ".gnp.exe",
		"zero\u200bwidth":         "zero.width",
		"not\xffutf8":             "not\ufffdutf8",
		strings.Repeat("x", 80):   strings.Repeat("x", 80),
		strings.Repeat("é", 81):   strings.Repeat("é", 79) + "…",
	} {
		if got := Cell(value); got != want {
			t.Errorf("Cell(%q) is %q, want %q", value, got, want)
		}
	}
}

// FuzzCell: whatever name a user has, a cell is one short piece of printable text.
func FuzzCell(f *testing.F) {
	f.Add("alice")
	f.Add("\x1b[31m\u202e\u200d\x00\xf0\x9f")
	f.Fuzz(func(t *testing.T, value string) {
		got := Cell(value)
		if n := utf8.RuneCountInString(got); n == 0 || n > longestCell {
			t.Errorf("Cell(%q) has %d characters", value, n)
		}
		if i := strings.IndexFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
			t.Errorf("Cell(%q) is %q, with something unprintable at %d", value, got, i)
		}
	})
}

// TestExport: if the output is no terminal, there is one line, at the end.
func TestExport(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := NewExport(&out, stream.Archive, march, march.Add(4*time.Hour))
	p.Committed(windowOf(time.Hour, 10, 0, 1))
	p.Committed(windowOf(2*time.Hour, 5, 2, 2))
	p.CaughtUp(march, 0)
	if out.Len() > 0 {
		t.Errorf("before the end it says %q", &out)
	}
	for part, want := range map[float64]string{
		-1:  "  archive [....................]   0%  15 records (2 late), 3 files",
		0.5: "  archive [##########..........]  50%  15 records (2 late), 3 files",
		1:   "  archive [####################] 100%  15 records (2 late), 3 files",
		7:   "  archive [####################] 100%  15 records (2 late), 3 files",
	} {
		if got := p.text(part); got != want {
			t.Errorf("at %v the line is\n%s, want\n%s", part, got, want)
		}
	}
	p.Done()
	if got := out.String(); strings.Count(got, "\n") != 1 || !strings.HasPrefix(got, "  archive [####") || strings.ContainsAny(got, "\r\x1b") {
		t.Errorf("at the end it says %q", got)
	}

	// The word for one object is the singular.
	siem := NewExport(&out, stream.Webhook, march, march.Add(time.Hour))
	siem.Committed(windowOf(time.Hour, 1, 0, 1))
	if got := siem.text(1); !strings.HasSuffix(got, ", 1 batch") {
		t.Errorf("the webhook's line is %s", got)
	}
}

func windowOf(end time.Duration, fresh, late, objects int) exporter.Commit {
	return exporter.Commit{Entry: checkpoint.Checkpoint{
		Cursor: march.Add(end), Records: checkpoint.Counts{Fresh: fresh, Late: late}, Objects: make([]checkpoint.Object, objects),
	}}
}

// TestExportDoesNotTear: on a terminal each line is drawn over an empty one, and no line is so long that the terminal wraps it.
func TestExportDoesNotTear(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := NewExport(&out, stream.Webhook, march, march.Add(4*time.Hour))
	p.line.moves = true
	p.Committed(windowOf(time.Hour, 999_999_999, 123_456_789, 99_999_999))
	p.Committed(windowOf(3*time.Hour, 1, 0, 1))
	p.Done()
	drawn := strings.Split(out.String(), clearLine)
	if len(drawn) != 4 || drawn[0] != "" {
		t.Fatalf("on a terminal it says %q", &out)
	}
	for i, text := range drawn[1:3] {
		if n := utf8.RuneCountInString(text); n >= Terminal || strings.ContainsAny(text, "\r\n") {
			t.Errorf("line %d has %d columns: %q", i, n, text)
		}
	}
	if !strings.HasPrefix(drawn[2], "  webhook [###############.....]  75%  ") {
		t.Errorf("it draws %q", drawn[2])
	}
	if !strings.HasSuffix(drawn[3], "\n") || !strings.HasPrefix(drawn[3], "  webhook [####################] 100%  1000000000 records") {
		t.Errorf("at the end it says %q", drawn[3])
	}
}

func TestDuration(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"0s": "0s", "499ms": "0s", "999ms": "1s", "-1ms": "0s", "59s": "59s", "-3s": "-3s", "59.6s": "1m", "60s": "1m", "61s": "1m1s",
		"2m13.4s": "2m13s", "-2m13s": "-2m13s", "59m59s": "59m59s", "1h": "1h", "1h0m59s": "1h", "1h1m": "1h1m",
		"23h59m59s": "23h59m", "24h": "1d", "24h59m": "1d", "26h": "1d2h", "1008h": "42d", "8784h30m": "366d",
	} {
		d, err := time.ParseDuration(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := Duration(d); got != want {
			t.Errorf("Duration(%s) is %s, want %s", text, got, want)
		}
	}
}

// TestTablesFit: however long ids, names and numbers are, the tables fit a terminal of 80 columns.
func TestTablesFit(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	records := NewRecords(&b, "table")
	if err := records.All([]record.Record{{
		ID: 1<<63 - 1, CreatedAt: march.Add(time.Microsecond), Action: strings.Repeat("Action", 9), Status: strings.Repeat("ü", 99),
		ActorName: strings.Repeat("name", 99),
	}, {ID: 1, CreatedAt: march}}); err != nil {
		t.Fatal(err)
	}
	b.WriteString(tableOf(t, "table", checkpoint.Stored{Checkpoint: checkpoint.Checkpoint{
		Serial: 99_999, Kind: checkpoint.KindBarrier, Window: window.Window{Start: march.Add(time.Microsecond), End: march.Add(719 * time.Hour)},
		Records:     checkpoint.Counts{Fresh: 50_000},
		ServerCount: &checkpoint.ServerCount{Status: checkpoint.CountBounded, AtLeast: 49_999, AtMost: 50_001},
		Holes:       make([]checkpoint.Hole, 12), Changed: &checkpoint.Changes{Altered: 20},
	}}))
	for text := range strings.Lines(b.String()) {
		if n := utf8.RuneCountInString(text) - 1; n > Terminal {
			t.Errorf("%d columns: %s", n, text)
		}
	}
	if strings.Contains(b.String(), "…\n2") || !strings.Contains(b.String(), "bounded  12     20\n") {
		t.Errorf("something is cut off in the journal's table:\n%s", &b)
	}
}
