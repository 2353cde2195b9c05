package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"houndtrail/exporter"
)

const barWidth = 30

// A progress shows how far through history a stream is: a bar that moves on a terminal, one line at the end elsewhere.
type progress struct {
	w          io.Writer
	name       string
	start, end time.Time
	moves      bool

	records, objects int
	late             int
	began            time.Time
}

func newProgress(w io.Writer, name string, start, end time.Time) *progress {
	return &progress{w: w, name: name, start: start, end: end, moves: isTerminal(w), began: time.Now()}
}

// Committed moves the bar.
func (p *progress) Committed(c exporter.Commit) {
	p.records += c.Entry.Records.Fresh
	p.late += c.Entry.Records.Late
	p.objects += len(c.Entry.Objects)
	if p.moves {
		fmt.Fprintf(p.w, "\r   %s", p.line(float64(c.Entry.Cursor.Sub(p.start))/float64(p.end.Sub(p.start))))
	}
}

// CaughtUp has nothing to show.
func (p *progress) CaughtUp(time.Time, time.Duration) {}

func (p *progress) done() {
	if p.moves {
		fmt.Fprint(p.w, "\r")
	}
	fmt.Fprintf(p.w, "   %s in %s\n", p.line(1), time.Since(p.began).Round(10*time.Millisecond))
}

func (p *progress) line(part float64) string {
	full := int(max(0, min(part, 1)) * barWidth)
	unit := map[string]string{archiveStream: "files", webhookStream: "batches"}[p.name]
	if p.objects == 1 {
		unit = map[string]string{archiveStream: "file", webhookStream: "batch"}[p.name]
	}
	line := fmt.Sprintf("%-8s [%s%s] %3.0f%%  %d records, %d %s", p.name,
		strings.Repeat("#", full), strings.Repeat(".", barWidth-full), 100*max(0, min(part, 1)), p.records, p.objects, unit)
	if p.late > 0 {
		line += fmt.Sprintf(", %d of them late", p.late)
	}
	return line
}
