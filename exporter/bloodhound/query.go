package bloodhound

import (
	"cmp"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// AuditPath is the endpoint, relative to the server's base URL.
const AuditPath = "/api/v2/audit"

// A Query is one request for a page of the log, with everything that the API documents. The zero value asks for the
// server's defaults: the newest 1000 records of the last 365 days.
type Query struct {
	After, Before time.Time // both inclusive; zero is not sent
	Skip          int       // 0 is not sent: the documentation wants it above 0
	// Limit is the page size. 0 is not sent; the server then takes 1000. (Sent as 0 it would mean "everything".)
	Limit   int
	SortBy  []string // in order, a leading "-" descends; created_at desc always comes first whatever is asked
	Filters []Filter // all must hold
}

// A Filter is column=predicate:value.
type Filter struct {
	Column, Predicate, Value string
}

// String is the filter as it is typed: column=predicate:value.
func (f Filter) String() string { return f.Column + "=" + f.Predicate + ":" + f.Value }

// ParseFilter reads "predicate:value" for a column; a bare value means eq, since a server drops it without a word.
func ParseFilter(column, text string) Filter {
	if pred, value, ok := strings.Cut(text, ":"); ok && slices.Contains(predicates, pred) {
		return Filter{column, pred, value}
	}
	return Filter{column, "eq", text}
}

var predicates = []string{"eq", "neq", "gt", "gte", "lt", "lte", "~eq"} //nolint:gochecknoglobals // a constant

// FilterColumns are the columns that the documentation or the server's source lets one filter by.
func FilterColumns() []string { return append([]string{"id", "created_at"}, textColumns...) }

//nolint:gochecknoglobals // a constant
var textColumns = []string{"actor_id", "actor_name", "actor_email", "action", "request_id", "source", "source_ip_address", "status"}

// Encode is the raw query string, in a fixed order. It is signed and sent as it is.
func (q Query) Encode() string {
	var b strings.Builder
	add := func(key, value string) {
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(key + "=" + url.QueryEscape(value))
	}
	if !q.After.IsZero() {
		add("after", wireTime(q.After))
	}
	if !q.Before.IsZero() {
		add("before", wireTime(q.Before))
	}
	if q.Limit > 0 {
		add("limit", strconv.Itoa(q.Limit))
	}
	if q.Skip > 0 {
		// Builds before September 2024 know only offset and ignore skip without a word; later ones prefer skip.
		add("skip", strconv.Itoa(q.Skip))
		add("offset", strconv.Itoa(q.Skip))
	}
	for _, column := range q.SortBy {
		add("sort_by", column)
	}
	for _, f := range q.Filters {
		add(f.Column, f.Predicate+":"+f.Value)
	}
	return b.String()
}

// wireTime writes UTC with at most six digits, which every build reads: an offset's "+" would be lost on the way.
func wireTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.999999Z") }

// Warnings says where servers are known to ignore, cut or reject what the query asks for, although the documentation
// allows it. The query is sent all the same.
func (q Query) Warnings() []string {
	var w []string
	warn := func(format string, args ...any) { w = append(w, fmt.Sprintf(format, args...)) }
	for _, s := range q.SortBy {
		switch column := strings.TrimPrefix(s, "-"); column {
		case "actor_id", "request_id", "source":
			warn("sort_by=%s is documented, but servers reject it (400); source_ip_address is the sortable name of source", s)
		case "created_at":
			if column == s {
				warn("sort_by=created_at does not turn the order: servers always sort by created_at, newest first, before anything else")
			}
		case "id":
		default:
			warn("sort_by=%s only orders records of the same instant: servers always sort by created_at, newest first, before anything else", s)
		}
	}
	if len(q.Filters) > 1 {
		warn("%d filters at once: builds before 2025 answer 500 to more than one", len(q.Filters))
	}
	for _, f := range q.Filters {
		w = append(w, f.warnings()...)
	}
	return w
}

// What servers read of a filter's value: up to the first character outside letters, digits, "_" and the ASCII range
// from "-" to "_"; and what newer builds write into their SQL without quotes.
var (
	cutValue = regexp.MustCompile(`^[A-Za-z0-9_\--_]*`)
	unquoted = regexp.MustCompile(`^(-?[0-9]+(\.[0-9]+)?|[tT]|[fF]|(?i:true|false))$`)
)

func (f Filter) warnings() []string {
	var w []string
	warn := func(format string, args ...any) { w = append(w, fmt.Sprintf(format, args...)) }
	text := slices.Contains(textColumns, f.Column)
	switch {
	case f.Column == "source":
		warn("the filter source is documented, but servers reject it (400): use source_ip_address")
	case f.Predicate == "~eq":
		warn("the predicate ~eq is documented, but on this endpoint builds read it as eq or reject it (400)")
	case text && f.Predicate != "eq" && f.Predicate != "neq":
		warn("%s takes only eq and neq: servers reject %s (400)", f.Column, f.Predicate)
	}
	if read := cutValue.FindString(f.Value); read != f.Value {
		warn("servers read %s only as far as %q: filter by another column, or filter the output", f, read)
	}
	if text && unquoted.MatchString(f.Value) {
		warn("%s: builds since 2025 compare %q as a number or boolean and answer 500", f, f.Value)
	}
	return w
}

// Validate finds what no server can make sense of, before anything is sent.
func (q Query) Validate() error {
	if q.Skip < 0 || q.Limit < 0 {
		return fmt.Errorf("skip and limit cannot be negative: got skip %d, limit %d", q.Skip, q.Limit)
	}
	if !q.After.IsZero() && !q.Before.IsZero() && q.Before.Before(q.After) {
		return fmt.Errorf("nothing can be after %s and before %s: the server would answer with an empty list",
			wireTime(q.After), wireTime(q.Before))
	}
	for _, f := range q.Filters {
		if f.Value == "" {
			return fmt.Errorf("the filter %s has no value: servers drop it without a word and return everything", cmp.Or(f.Column, "?"))
		}
	}
	if slices.Contains(q.SortBy, "") || slices.Contains(q.SortBy, "-") {
		return fmt.Errorf("sort_by needs a column: an empty one crashes servers")
	}
	return nil
}
