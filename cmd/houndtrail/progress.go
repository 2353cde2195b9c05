package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/exporter"
)

const barWidth = 30

// A progress shows how far through history a stream is: a bar that moves on a terminal, one line at the end elsewhere.
type progress struct {
	exporter.Unobserved

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

func (p *progress) done() {
	if p.moves {
		fmt.Fprint(p.w, "\r")
	}
	fmt.Fprintf(p.w, "   %s in %s\n", p.line(1), time.Since(p.began).Round(10*time.Millisecond))
}

func (p *progress) line(part float64) string {
	line := fmt.Sprintf("%-8s %s  %d records, %d %s", p.name, bar(part), p.records, p.objects, unit(p.name, p.objects))
	if p.late > 0 {
		line += fmt.Sprintf(", %d of them late", p.late)
	}
	return line
}

// bar draws how much of the whole is done.
func bar(part float64) string {
	part = max(0, min(part, 1))
	full := int(part * barWidth)
	return fmt.Sprintf("[%s%s] %3.0f%%", strings.Repeat("#", full), strings.Repeat(".", barWidth-full), 100*part)
}

// unit is what a stream calls n of its objects.
func unit(stream string, n int) string {
	if n == 1 {
		return map[string]string{archiveStream: "file", webhookStream: "batch"}[stream]
	}
	return map[string]string{archiveStream: "files", webhookStream: "batches"}[stream]
}
