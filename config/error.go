package config

import (
	"fmt"
	"strings"
)

// Error has every problem of a configuration. The program cannot start with such a configuration. The message has one line for
// each problem.
type Error struct {
	Problems []Problem // in the order of the reference; unknown variables last
}

// Problem is one problem of one variable.
type Problem struct {
	Variable string // full name
	Reason   string // the value, unless it may be secret, and the allowed values or what to do
}

// Error has one problem a line.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// String is the problem as one line.
func (p Problem) String() string { return p.Variable + ": " + p.Reason }

// invalid is the error of a type's own decoder. It names the value and the allowed values, and Load shows it unchanged. Instead
// of an error of another decoder, Load shows the field's want.
type invalid string

func (e invalid) Error() string { return string(e) }

func invalidf(format string, args ...any) error { return invalid(fmt.Sprintf(format, args...)) }

// quote shows a value that is not secret: on one line, and not more than 80 bytes of it.
func quote(value string) string {
	const most = 80
	if len(value) > most {
		return fmt.Sprintf("%q...", value[:most])
	}
	return fmt.Sprintf("%q", value)
}
