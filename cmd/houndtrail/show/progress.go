package show

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/exporter"
)

// barWidth is the width of the bar between its brackets.
const barWidth = 20

// clearLine goes back to the beginning of a terminal's line and empties it.
const clearLine = "\r\x1b[K"

// IsTerminal tells whether w is a terminal: a program can draw over its lines.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// A line is a line of a terminal that is drawn again and again. It is shorter than the terminal's width, because one cannot
// draw over a wrapped line.
type line struct {
	w     io.Writer
	moves bool // it is a terminal
}

func newLine(w io.Writer) line { return line{w, IsTerminal(w)} }

func (l line) draw(text string) {
	if l.moves {
		fmt.Fprint(l.w, clearLine+Cut(text, l.width()-1))
	}
}

// clear empties the line for the next output.
func (l line) clear() {
	if l.moves {
		fmt.Fprint(l.w, clearLine)
	}
}

func (l line) width() int {
	if f, ok := l.w.(*os.File); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > barWidth {
			return width
		}
	}
	return Terminal
}

// bar draws the part that is done.
func bar(part float64) string {
	part = max(0, min(part, 1))
	full := int(part * barWidth)
	return fmt.Sprintf("[%s%s] %3d%%", strings.Repeat("#", full), strings.Repeat(".", barWidth-full), int(100*part))
}

// An Export shows a stream's progress through history: on a terminal with a moving bar, elsewhere with one line at the end.
type Export struct {
	exporter.Unobserved

	line       line
	name       string
	start, end time.Time

	records, objects int
	late             int
	began            time.Time
}

// NewExport shows the progress of a stream from start to end.
func NewExport(w io.Writer, name string, start, end time.Time) *Export {
	return &Export{line: newLine(w), name: name, start: start, end: end, began: time.Now()}
}

// Committed moves the bar.
func (p *Export) Committed(c exporter.Commit) {
	p.records += c.Entry.Records.Fresh
	p.late += c.Entry.Records.Late
	p.objects += len(c.Entry.Objects)
	p.line.draw(p.text(float64(c.Entry.Cursor.Sub(p.start)) / float64(p.end.Sub(p.start))))
}

// Done prints the end.
func (p *Export) Done() {
	p.line.clear()
	fmt.Fprintf(p.line.w, "%s, %s\n", p.text(1), time.Since(p.began).Round(10*time.Millisecond))
}

func (p *Export) text(part float64) string {
	records := fmt.Sprintf("%d records", p.records)
	if p.late > 0 {
		records += fmt.Sprintf(" (%d late)", p.late)
	}
	return fmt.Sprintf("  %-7s %s  %s, %s", p.name, bar(part), records, objects(p.name, p.objects))
}

// objects is a number of objects, with the stream's word for them: files or batches.
func objects(name string, n int) string {
	one, many := "file", "files"
	if name == stream.Webhook {
		one, many = "batch", "batches"
	}
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
