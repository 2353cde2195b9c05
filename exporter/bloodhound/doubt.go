package bloodhound

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Warnings says what servers are known to ignore, cut or reject of the query, although the documentation allows it, and what
// may surprise about an answer. The query is sent all the same.
func (q Query) Warnings() []string {
	var texts []string
	for _, d := range q.doubts() {
		texts = append(texts, d.text)
	}
	return texts
}

// A doubt is one warning; fails says that some servers answer with an error for it.
type doubt struct {
	text  string
	fails bool
}

type doubts []doubt

func (d *doubts) surprises(format string, args ...any) {
	*d = append(*d, doubt{text: fmt.Sprintf(format, args...)})
}

func (d *doubts) fails(format string, args ...any) {
	*d = append(*d, doubt{text: fmt.Sprintf(format, args...), fails: true})
}

func (q Query) doubts() doubts {
	var d doubts
	for _, s := range q.SortBy {
		switch strings.TrimPrefix(s, "-") {
		case "actor_id", "request_id", "source":
			d.fails("sort_by=%s is documented, but servers reject it (400); source_ip_address is the sortable name of source", s)
		}
	}
	if len(q.Filters) > 1 {
		d.fails("%d filters at once: builds before 2025 answer 500 to more than one; ask with one, and filter the output", len(q.Filters))
	}
	for _, f := range q.Filters {
		f.doubt(&d)
	}
	return d
}

// What servers read of a filter's value: up to the first character outside letters, digits, space, "_" and the ASCII range
// from "-" to "_"; and what newer builds write into their SQL without quotes.
var (
	cutValue = regexp.MustCompile(`^[A-Za-z0-9 _\--_]*`)
	unquoted = regexp.MustCompile(`^(-?[0-9]+(\.[0-9]+)?|[tT]|[fF]|(?i:true|false))$`)
)

func (f Filter) doubt(d *doubts) {
	text := slices.Contains(textColumns, f.Column)
	switch {
	case f.Column == "source":
		d.fails("the filter source is documented, but servers reject it (400): use source_ip_address")
	case f.Predicate == "~eq":
		d.fails("the predicate ~eq is documented, but servers reject it on this endpoint (400)")
	case text && f.Predicate != "eq" && f.Predicate != "neq":
		d.fails("%s takes only eq and neq: servers reject %s (400)", f.Column, f.Predicate)
	}
	value := f.wire()
	if read := cutValue.FindString(value); read != value {
		d.surprises("servers read %s only as far as %q: filter by another column, or filter the output", f, read)
	}
	switch {
	case text && unquoted.MatchString(value):
		d.fails("%s: builds since 2025 compare %q as a number or boolean and answer 500; filter the output instead", f, f.Value)
	case f.Column == "id" && !isInt64(value):
		d.fails("%s is not a whole number of 64 bits: builds before 2025 answer 500, later ones to some of these; give one", f)
	case f.Column == "created_at" && !isTime(value):
		d.fails("%s is not an RFC 3339 time: servers read it in their own way and time zone, or answer 500; write it as "+
			"2026-01-31T00:00:00Z", f)
	case text && f.Predicate == "neq" && value != "null":
		d.surprises("%s also leaves out records that have no %s", f, f.Column)
	}
}

func isInt64(s string) bool {
	_, err := strconv.ParseInt(s, 10, 64)
	return err == nil
}

func isTime(s string) bool {
	_, err := time.Parse(time.RFC3339Nano, s)
	return err == nil
}
