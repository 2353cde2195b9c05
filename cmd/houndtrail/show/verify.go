package show

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/sink/archive/verify"
	"github.com/houndtrail/houndtrail/sink/archive/verify/source"
)

// drawEvery is the shortest time between two drawings of a line that changes all the time.
const drawEvery = 100 * time.Millisecond

// A Counter shows on a terminal how much of a long task is done, how fast it goes, and how much time is left.
type Counter struct {
	line         line
	what         string
	now          func() time.Time
	began, drawn time.Time
}

// NewCounter shows the progress of a task that works on things with that name.
func NewCounter(w io.Writer, what string) *Counter {
	c := &Counter{line: newLine(w), what: what, now: time.Now}
	c.began = c.now()
	return c
}

// Progress updates the line. all is 0 while the number is not known.
func (c *Counter) Progress(done, all int64) {
	now := c.now()
	if !c.line.moves || now.Sub(c.drawn) < drawEvery {
		return
	}
	c.drawn = now
	c.line.draw(c.text(done, all, now.Sub(c.began)))
}

func (c *Counter) text(done, all int64, took time.Duration) string {
	rate := float64(done) / max(took.Seconds(), 0.001)
	text := fmt.Sprintf("%d %s, %.0f/s", done, c.what, rate)
	if all <= 0 || done <= 0 {
		return "  " + text
	}
	left := time.Duration(float64(all-done) / rate * float64(time.Second))
	return fmt.Sprintf("  %s  %s, %s left", bar(float64(done)/float64(all)), text, Duration(left))
}

// End empties the line.
func (c *Counter) End() { c.line.clear() }

// Verification prints the report of a verification. compared is nil if the archive was not compared with its source.
func Verification(w io.Writer, r *verify.Report, compared *source.Result, form string) error {
	if form == "json" {
		return JSON(w, struct {
			Result string `json:"result"`
			Sound  bool   `json:"sound"`
			*verify.Report
			Source *source.Result `json:"source,omitempty"`
		}{r.Result(), r.Sound(), r, compared})
	}
	if err := streams(w, r.Streams); err != nil {
		return err
	}
	for _, f := range r.Findings {
		if _, err := fmt.Fprintf(w, "\n%s\n", finding(f)); err != nil {
			return err
		}
	}
	for code, n := range r.More {
		if _, err := fmt.Fprintf(w, "\n%d more findings of the kind %s are not shown.\n", n, code); err != nil {
			return err
		}
	}
	result := Wrap(r.Result())
	if compared != nil {
		result += "\n" + Wrap(compared.String())
	}
	_, err := fmt.Fprintf(w, "\n%s\n", result)
	return err
}

func streams(w io.Writer, rows []verify.Stream) error {
	table := NewTable(w, []Column[verify.Stream]{
		{Name: "STREAM", Cell: func(s verify.Stream) string { return s.Name }},
		{Name: "ENTRIES", Cell: func(s verify.Stream) string { return fmt.Sprintf("%d-%d", s.First, s.Newest) }},
		{Name: "CURSOR", Cell: func(s verify.Stream) string { return Second(s.Cursor) }},
		{Name: "RECORDS", Cell: func(s verify.Stream) string { return strconv.FormatInt(s.Delivered, 10) }},
		{
			Name: "FILTERED", Cell: func(s verify.Stream) string { return strconv.FormatInt(s.Filtered, 10) },
			Needed: func(s verify.Stream) bool { return s.Filtered > 0 },
		},
		{
			Name: "PAIRED", Cell: func(s verify.Stream) string { return strconv.FormatInt(s.Paired, 10) },
			Needed: func(s verify.Stream) bool { return s.Paired > 0 },
		},
		{Name: "NEWEST SHA-256", Cell: func(s verify.Stream) string { return s.SHA256 }},
	})
	for _, row := range rows {
		if err := table.Add(row); err != nil {
			return err
		}
	}
	return table.Flush()
}

// finding is a finding for a terminal: the fault, its place, and the next step.
func finding(f verify.Finding) string {
	head := strings.ToUpper(string(f.Severity)) + " " + string(f.Code)
	if f.Stream != "" {
		head += " in " + f.Stream
	}
	return head + "\n" + Wrap(Safe(f.Text)) + "\n" + Wrap("To do: "+f.Advice)
}
