package bloodhound

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/page"
)

// AuditPath is the endpoint, relative to the server's base URL.
const AuditPath = "/api/v2/audit"

// A Query is one request for a page of the log, with everything that the API documents. The zero value asks for the
// server's defaults: the newest 1000 records of the last 365 days.
type Query struct {
	After, Before time.Time // both inclusive; zero is not sent, and stands for the server's default
	// Bounded sends After and Before whatever they are: zero is then the year 1, as in every time.Time.
	Bounded bool
	Skip    int // 0 is not sent: the documentation wants it above 0
	// Limit is the page size. 0 is not sent; the server then takes 1000. (Sent as 0 it would mean "everything".)
	Limit int
	// SortBy is in order; a leading "-" descends. It replaces the server's order, which is newest first; on builds before
	// March 2024 it only orders the records of one instant.
	SortBy  []string
	Filters []Filter // all must hold; each is sent as String, but for the times
}

// A Filter is column=predicate:value.
type Filter struct {
	Column, Predicate, Value string
}

// String is the filter as it is typed: column=predicate:value.
func (f Filter) String() string { return f.Column + "=" + f.Predicate + ":" + f.Value }

// wire is the value as it is sent. A time goes in UTC: servers drop an offset without a word, and answer 200 for another
// instant.
func (f Filter) wire() string {
	if f.Column == "created_at" {
		if t, err := time.Parse(time.RFC3339Nano, f.Value); err == nil {
			return page.FormatTime(t)
		}
	}
	return f.Value
}

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
		// Builds before September 2024 know only offset and ignore skip without a word; later ones prefer skip.
		add("skip", strconv.Itoa(q.Skip))
		add("offset", strconv.Itoa(q.Skip))
	}
	for _, column := range q.SortBy {
		add("sort_by", column)
	}
	for _, f := range q.Filters {
		add(f.Column, f.Predicate+":"+f.wire())
	}
	return b.String()
}

// Validate finds what no server can make sense of, before anything is sent.
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
