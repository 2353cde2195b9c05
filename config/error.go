package config

import (
	"fmt"
	"strings"
)

// Error is every problem of a configuration. The program cannot start with it; its message has one line for each.
type Error struct {
	Problems []Problem // in the order of the reference; unknown variables last
}

// Problem is one thing that is wrong with one variable.
type Problem struct {
	Variable string // full name
	Reason   string // what it got, unless that may be secret, and what is allowed or to be done
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

// invalid is the error of a type's own decoder. It says what it got and what it wants, and is shown as it stands;
// errors of other decoders are replaced by the field's want.
type invalid string

func (e invalid) Error() string { return string(e) }

func invalidf(format string, args ...any) error { return invalid(fmt.Sprintf(format, args...)) }

// quote shows a value that is not secret: on one line, and not endlessly.
func quote(value string) string {
	const most = 80
	if len(value) > most {
		return fmt.Sprintf("%q...", value[:most])
	}
	return fmt.Sprintf("%q", value)
}
