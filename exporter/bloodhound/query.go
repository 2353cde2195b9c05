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

	"github.com/houndtrail/houndtrail/exporter/bloodhound/page"
	"github.com/houndtrail/houndtrail/exporter/record/filter"
)

// AuditPath is the endpoint, relative to the server's base URL.
const AuditPath = "/api/v2/audit"

// A Query is one request for a page of the log. It has every parameter that the API documents. The zero value asks for the
// server's defaults: the newest 1000 records of the last 365 days.
type Query struct {
	After, Before time.Time // both inclusive; zero is not sent, and stands for the server's default
	// If Bounded is set, the client sends After and Before even if they are zero: zero is then the year 1, as in every time.Time.
	Bounded bool
	Skip    int // 0 is not sent: the documentation wants it above 0
	// Limit is the page size. 0 is not sent; the server then takes 1000. (If the client sent 0, it would mean "everything".)
	Limit int
	// SortBy names the columns, the most important one first. A leading "-" means descending. It replaces the server's order,
	// which is newest first. On builds before March 2024 it only orders the records of one instant.
	SortBy  []string
	Filters []Filter // all of them must hold; the client sends each as String, except for the times
}

// A Filter is column=predicate:value.
type Filter = filter.Filter

// wire is the value as the client sends it. A time is in UTC: servers drop an offset without a word, and answer 200 for another
// instant.
func wire(f Filter) string {
	if f.Column == "created_at" {
		if t, err := time.Parse(time.RFC3339Nano, f.Value); err == nil {
			return page.FormatTime(t)
		}
	}
	return f.Value
}

// FilterColumns are the columns that a query can filter by, according to the documentation or the server's source.
func FilterColumns() []string { return append([]string{"id", "created_at"}, textColumns...) }

//nolint:gochecknoglobals // a constant
var textColumns = []string{"actor_id", "actor_name", "actor_email", "action", "request_id", "source", "source_ip_address", "status"}

// Encode returns the raw query string, in a fixed order. The client signs and sends it as it is.
func (q Query) Encode() string {
	var b strings.Builder
	add := func(key, value string) {
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(key + "=" + url.QueryEscape(value))
	}
	if q.Bounded || !q.After.IsZero() {
		add("after", page.FormatTime(q.After))
	}
	if q.Bounded || !q.Before.IsZero() {
		add("before", page.FormatTime(q.Before))
	}
	if q.Limit > 0 {
		add("limit", strconv.Itoa(q.Limit))
	}
	if q.Skip > 0 {
		// Builds before September 2024 know only offset, and ignore skip without a word. Later builds prefer skip.
		add("skip", strconv.Itoa(q.Skip))
		add("offset", strconv.Itoa(q.Skip))
	}
	for _, column := range q.SortBy {
		add("sort_by", column)
	}
	for _, f := range q.Filters {
		add(f.Column, f.Predicate+":"+wire(f))
	}
	return b.String()
}

// Validate refuses a query that no server can understand, before the client sends anything.
func (q Query) Validate() error {
	if q.Skip < 0 || q.Limit < 0 {
		return fmt.Errorf("skip and limit cannot be negative: got skip %d, limit %d", q.Skip, q.Limit)
	}
	if (q.Bounded || !q.After.IsZero() && !q.Before.IsZero()) && q.Before.Before(q.After) {
		return fmt.Errorf("nothing can be after %s and before %s: the server would answer with an empty list",
			page.FormatTime(q.After), page.FormatTime(q.Before))
	}
	for _, f := range q.Filters {
		if f.Value == "" {
			return fmt.Errorf("the filter %s has no value: servers drop it without a word and return everything", cmp.Or(f.Column, "?"))
		}
	}
	if slices.Contains(q.SortBy, "") || slices.Contains(q.SortBy, "-") {
		return fmt.Errorf("sort_by needs a column: an empty one crashes servers, which then answer 200 with nothing")
	}
	return nil
}

// Warnings names the parts of the query that some servers ignore, cut or reject, although the documentation allows them. It
// also names surprises in an answer. The client sends the query all the same.
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
		doubtful(f, &d)
	}
	return d
}

// Servers read a filter's value only up to the first character that is not a letter, a digit, a space, "_" or in the ASCII
// range from "-" to "_": cutValue. Newer builds write some values into their SQL without quotes: unquoted.
var (
	cutValue = regexp.MustCompile(`^[A-Za-z0-9 _\--_]*`)
	unquoted = regexp.MustCompile(`^(-?[0-9]+(\.[0-9]+)?|[tT]|[fF]|(?i:true|false))$`)
)

func doubtful(f Filter, d *doubts) {
	text := slices.Contains(textColumns, f.Column)
	switch {
	case f.Column == "source":
		d.fails("the filter source is documented, but servers reject it (400): use source_ip_address")
	case f.Predicate == "~eq":
		d.fails("the predicate ~eq is documented, but servers reject it on this endpoint (400)")
	case text && f.Predicate != "eq" && f.Predicate != "neq":
		d.fails("%s takes only eq and neq: servers reject %s (400)", f.Column, f.Predicate)
	}
	value := wire(f)
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
