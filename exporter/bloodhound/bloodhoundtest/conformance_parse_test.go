package bloodhoundtest_test

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// exchange is a request and the answers of the real servers, by the year of the server.
type exchange struct {
	request string
	answers map[string]answer
}

// alike tells whether the servers answered alike.
func (e exchange) alike() bool {
	return len(e.answers) == 2 && e.answers["2024"].line == e.answers["2025"].line
}

// answer is a line of testdata/conformance.txt, which says how to read it.
type answer struct {
	line    string
	code    int
	kind    string
	details map[string]string
	where   []condition
	text    string
}

// condition is a condition that all rows of a count fulfil.
type condition struct{ column, operator, value string }

// exchanges reads testdata/conformance.txt.
func exchanges(t *testing.T) []exchange {
	t.Helper()
	text, err := os.ReadFile("testdata/conformance.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all []exchange
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		answered, indented := strings.CutPrefix(line, "    ")
		switch {
		case line == "", strings.HasPrefix(line, "#"):
		case !indented:
			all = append(all, exchange{request: line, answers: map[string]answer{}})
		default:
			server, rest, _ := strings.Cut(answered, " ")
			given := all[len(all)-1].answers
			for _, year := range []string{"2024", "2025"} {
				if server == year || server == "both" {
					given[year] = parseAnswer(t, rest)
				}
			}
		}
	}
	return all
}

func parseAnswer(t *testing.T, line string) answer {
	t.Helper()
	a := answer{line: line, details: map[string]string{}}
	head, text, _ := strings.Cut(line, " : ")
	a.text = text
	head, where, filtered := strings.Cut(head, " where ")
	if filtered {
		for part := range strings.SplitSeq(where, " and ") {
			a.where = append(a.where, parseCondition(t, part))
		}
	}
	words := strings.Fields(head)
	var err error
	if a.code, err = strconv.Atoi(words[0]); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	a.kind = words[1]
	for _, word := range words[2:] {
		name, value, ok := strings.Cut(word, "=")
		if !ok {
			t.Fatalf("%q: %q is no detail", line, word)
		}
		a.details[name] = value
	}
	return a
}

var conditions = regexp.MustCompile(`^(\w+) (is null|is not null|=|<>|>=|<=|>|<) ?(.*)$`)

func parseCondition(t *testing.T, text string) condition {
	t.Helper()
	part := conditions.FindStringSubmatch(text)
	if part == nil {
		t.Fatalf("%q is no condition", text)
	}
	c := condition{column: part[1], operator: part[2], value: part[3]}
	if unquoted, err := strconv.Unquote(c.value); err == nil {
		c.value = unquoted
	}
	return c
}
