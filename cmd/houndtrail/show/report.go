package show

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// A Finding is one line of a report.
type Finding struct {
	State string // a word of at most stateWidth letters
	Name  string
	Seen  string
	Next  string // what to do; "" if there is nothing to do
}

const (
	stateWidth = 7  // of "skipped"
	nameWidth  = 12 // a longer name moves its line to the right
	leastText  = 20 // characters of text in a line, beside a long name
)

// A Report prints findings in groups, for people. It breaks their texts, so that each line fits a terminal.
type Report struct {
	w       io.Writer
	colours map[string]string // by state; nil for none
	begun   bool
}

// NewReport is a report with these colours of states, which are numbers of ANSI's SGR, such as 31 for red; nil is without colours.
func NewReport(w io.Writer, colours map[string]string) *Report {
	return &Report{w: w, colours: colours}
}

// Group prints a heading and the findings below it.
func (r *Report) Group(heading string, findings []Finding) error {
	var b strings.Builder
	if r.begun {
		b.WriteByte('\n')
	}
	r.begun = true
	b.WriteString(Cut(Safe(heading), Terminal) + "\n")
	for _, f := range findings {
		r.add(&b, f)
	}
	_, err := io.WriteString(r.w, b.String())
	return err
}

func (r *Report) add(b *strings.Builder, f Finding) {
	name := fmt.Sprintf("%-*s", nameWidth, Safe(f.Name))
	indent := 2 + stateWidth + 2 + utf8.RuneCountInString(name) + 2
	width := max(Terminal-indent, leastText)
	margin := "\n" + strings.Repeat(" ", indent)
	state := fmt.Sprintf("%-*s", stateWidth, f.State)
	if colour := r.colours[f.State]; colour != "" {
		state = "\x1b[" + colour + "m" + state + "\x1b[0m"
	}
	fmt.Fprintf(b, "  %s  %s  %s\n", state, name, strings.ReplaceAll(fitting(f.Seen, width), "\n", margin))
	if f.Next != "" {
		text := strings.ReplaceAll(fitting(f.Next, width-len("-> ")), "\n", margin+"   ")
		fmt.Fprintf(b, "%s-> %s\n", margin[1:], text)
	}
}

// fitting is a text in lines of at most so many characters, also if a word is longer.
func fitting(text string, width int) string {
	var words []string
	for word := range strings.FieldsSeq(text) {
		for part := range slices.Chunk([]rune(Safe(word)), width) {
			words = append(words, string(part))
		}
	}
	return wrapped(words, width)
}
