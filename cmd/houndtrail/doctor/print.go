package doctor

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/show"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
)

// several writes a number of things.
func several(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Print prints the rows. In the form json, each row is an object on a line. Any other form is a report for people. On a terminal,
// the report has colours unless the environment forbids them (no-color.org).
func Print(w io.Writer, rows []Row, form string, environ []string) error {
	if form == "json" {
		for _, r := range rows {
			if err := show.JSON(w, r); err != nil {
				return err
			}
		}
		return nil
	}
	var colours map[string]string
	plain := func(entry string) bool { return strings.HasPrefix(entry, "NO_COLOR=") && entry != "NO_COLOR=" }
	if show.IsTerminal(w) && !slices.ContainsFunc(environ, plain) {
		colours = map[string]string{string(OK): "32", string(Warn): "33", string(Fail): "1;31", string(Skipped): "2"}
	}
	return report(w, rows, colours)
}

func report(w io.Writer, all []Row, colours map[string]string) error {
	r, rows := show.NewReport(w, colours), all
	for len(rows) > 0 {
		n := slices.IndexFunc(rows, func(r Row) bool { return r.Group != rows[0].Group })
		if n < 0 {
			n = len(rows)
		}
		findings := findingsOf(rows[:n])
		if err := r.Group(strings.TrimSpace(rows[0].Group+"  "+rows[0].Place), findings); err != nil {
			return err
		}
		rows = rows[n:]
	}
	_, err := fmt.Fprintf(w, "\n%s\n", summary(all))
	return err
}

// findingsOf returns the lines of a group. The checks that were skipped because an earlier one did not succeed are one line.
func findingsOf(rows []Row) (findings []show.Finding) {
	var unmade []string
	root := ""
	for _, row := range rows {
		if row.root != "" {
			unmade, root = append(unmade, row.Check), cmp.Or(root, row.root)
			continue
		}
		findings = append(findings, show.Finding{State: string(row.State), Name: row.Check, Seen: row.Seen, Next: row.Advice})
	}
	if root != "" {
		text := fmt.Sprintf("%s: not looked at, since this check did not succeed: %s", strings.Join(unmade, ", "), root)
		findings = append(findings, show.Finding{State: string(Skipped), Name: "the rest", Seen: text})
	}
	return findings
}

// summary is the last line of a report: the number of checks by result, and the exit code.
func summary(rows []Row) string {
	count := func(s State) (n int) {
		for _, r := range rows {
			if r.State == s {
				n++
			}
		}
		return n
	}
	text := fmt.Sprintf("%d ok, %d warn, %d fail, %d skipped", count(OK), count(Warn), count(Fail), count(Skipped))
	if code := stream.OutcomeOf(Failed(rows)); code != stream.OK {
		text += fmt.Sprintf(": exit code %d", code)
	}
	return text
}
