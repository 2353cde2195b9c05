package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter"
)

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
		if got := cell(value); got != want {
			t.Errorf("cell(%q) is %q, want %q", value, got, want)
		}
	}
}

// FuzzCell: whatever name a user takes, a cell is one short piece of printable text.
func FuzzCell(f *testing.F) {
	f.Add("alice")
	f.Add("\x1b[31m\u202e\u200d\x00\xf0\x9f")
	f.Fuzz(func(t *testing.T, value string) {
		got := cell(value)
		if n := utf8.RuneCountInString(got); n == 0 || n > longestCell {
			t.Errorf("cell(%q) has %d characters", value, n)
		}
		if i := strings.IndexFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
			t.Errorf("cell(%q) is %q, with something unprintable at %d", value, got, i)
		}
	})
}

// TestProgress: on something that is not a terminal there is one line, at the end.
func TestProgress(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	var out bytes.Buffer
	p := newProgress(&out, archiveStream, start, start.Add(4*time.Hour))
	window := func(end time.Duration, fresh, late, objects int) exporter.Commit {
		return exporter.Commit{Entry: checkpoint.Checkpoint{
			Cursor: start.Add(end), Records: checkpoint.Counts{Fresh: fresh, Late: late}, Objects: make([]checkpoint.Object, objects),
		}}
	}
	p.Committed(window(time.Hour, 10, 0, 1))
	p.Committed(window(2*time.Hour, 5, 2, 2))
	p.CaughtUp(start, 0)
	if out.Len() > 0 {
		t.Errorf("before the end it says %q", &out)
	}
	for part, want := range map[float64]string{
		-1:  "archive  [..............................]   0%  15 records, 3 files, 2 of them late",
		0.5: "archive  [###############...............]  50%  15 records, 3 files, 2 of them late",
		1:   "archive  [##############################] 100%  15 records, 3 files, 2 of them late",
		7:   "archive  [##############################] 100%  15 records, 3 files, 2 of them late",
	} {
		if got := p.line(part); got != want {
			t.Errorf("at %v the line is\n%s, want\n%s", part, got, want)
		}
	}
	p.done()
	if got := out.String(); strings.Count(got, "\n") != 1 || !strings.HasPrefix(got, "   archive  [####") || strings.Contains(got, "\r") {
		t.Errorf("at the end it says %q", got)
	}

	// One is not many.
	siem := newProgress(&out, webhookStream, start, start.Add(time.Hour))
	siem.Committed(window(time.Hour, 1, 0, 1))
	if got := siem.line(1); !strings.HasSuffix(got, ", 1 batch") {
		t.Errorf("the webhook's line is %s", got)
	}

	// On a terminal the line is drawn again and again.
	out.Reset()
	p.moves = true
	p.Committed(window(3*time.Hour, 1, 0, 1))
	if got := out.String(); !strings.HasPrefix(got, "\r   archive  [######################........]  75%") {
		t.Errorf("on a terminal it says %q", got)
	}
}
