package bloodhoundtest

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/internal/api"
)

// query is a request for audit entries as the server understood it.
type query struct {
	after, before int64 // microseconds, both inclusive
	skip, limit   int
	filters       []filter
	order         order
}

const (
	defaultLimit = 1000
	defaultSpan  = 365 * 24 * time.Hour
)

// rows is how many rows the page may hold at most: a limit of 0 is no limit.
func (q query) rows() int {
	if q.limit == 0 {
		return math.MaxInt
	}
	return q.limit
}

// parseQuery checks the parameters in the handler's order: sort, filters, skip, limit, before, after.
func (a *abilities) parseQuery(values url.Values, now time.Time) (query, error) {
	var q query
	var err error
	if q.order, err = a.parseOrder(values["sort_by"]); err != nil {
		return q, err
	}
	if q.filters, err = a.filters.parse(values, a.reserved(), a.filterable); err != nil {
		return q, err
	}
	if q.skip, err = a.parseSkip(values); err != nil {
		return q, err
	}
	if q.limit, err = a.parseCount(values, "limit", "limit", defaultLimit); err != nil {
		return q, err
	}
	before, err := parseTime(values, "before", now)
	if err != nil {
		return q, err
	}
	earliest := before.Add(-defaultSpan)
	if a.yearFromNow {
		earliest = now.AddDate(-1, 0, 0)
	}
	after, err := parseTime(values, "after", earliest)
	q.before, q.after = before.UnixMicro(), after.UnixMicro()
	return q, err
}

// reserved are the parameters that the server never reads as a filter.
func (a *abilities) reserved() []string {
	names := []string{"sort_by", "limit", "before", "after"}
	if a.skip {
		names = append(names, "skip")
	}
	if a.offset {
		names = append(names, "offset")
	}
	return names
}

// errEmptySort is the handler's panic over an empty sort_by. The server recovers, and answers 200 with an empty body.
var errEmptySort = errors.New("index out of range [0] with length 0")

// parseOrder reads sort_by, which replaces the order: only a request without it gets newest first.
func (a *abilities) parseOrder(columns []string) (order, error) {
	o := order{by: api.NewestFirst}
	for _, column := range columns {
		if column == "" && !a.emptySort400 {
			return o, errEmptySort
		}
		name, descending := strings.CutPrefix(column, "-")
		if !slices.Contains(a.sortable, name) {
			return o, badRequest("column format does not support sorting")
		}
		o.keys = append(o.keys, sortKey{compare: comparisons[name], descending: descending, unique: name == "id"})
	}
	if len(columns) > 0 {
		switch columns[0] {
		case "-created_at":
		case "created_at":
			o.by = api.OldestFirst
		default:
			o.by = api.ByKeys
		}
	}
	return o, nil
}

// parseSkip prefers skip, even an empty one, to offset if the server knows both. The server ignores a name that it does not
// know.
func (a *abilities) parseSkip(values url.Values) (int, error) {
	switch {
	case a.skip && values.Has("skip"):
		return a.parseCount(values, "skip", "skip", 0)
	case a.offset && !a.skip:
		return parseOffset(values)
	case a.offset:
		return a.parseCount(values, "offset", "skip", 0)
	default:
		return 0, nil
	}
}

// parseOffset reads offset as the servers that do not know skip: they take any integer, and an integer below zero skips nothing.
func parseOffset(values url.Values) (int, error) {
	text := values.Get("offset")
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, malformed("offset", err.Error())
	}
	return n, nil
}

// parseCount reads a number of rows. If the number is too small, the error calls it by its meaning: skip or limit.
func (a *abilities) parseCount(values url.Values, name, meaning string, missing int) (int, error) {
	text := values.Get(name)
	if text == "" {
		return missing, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, malformed(name, fmt.Sprintf("error converting %s value %s to int: %v", name, text, err))
	}
	if n < a.minimum {
		return 0, malformed(name, fmt.Sprintf("invalid %s: %d", meaning, n))
	}
	return n, nil
}

func parseTime(values url.Values, name string, missing time.Time) (time.Time, error) {
	text := values.Get(name)
	if text == "" {
		return missing, nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return t, malformed(name, err.Error())
	}
	return t, nil
}

func malformed(name, detail string) *api.Error {
	return badRequest(fmt.Sprintf("query parameter %q is malformed: %s", name, detail))
}

// order is the order of a page: the direction, then the keys within a group.
type order struct {
	by   api.Direction
	keys []sortKey
}

type sortKey struct {
	compare    func(a, b *entry) int
	descending bool
	unique     bool // no two rows have the same
}

// next cuts the first group off a span that is sorted by created_at.
func (o order) next(span []*entry) (group, rest []*entry) {
	last := len(span) - 1
	switch o.by {
	case api.NewestFirst:
		i := last
		for i > 0 && span[i-1].at == span[last].at {
			i--
		}
		return span[i:], span[:i]
	case api.OldestFirst:
		i := 1
		for i <= last && span[i].at == span[0].at {
			i++
		}
		return span[:i], span[i:]
	default:
		return span, nil
	}
}

func (o order) arrange(ties []*entry, shuffle *rand.Rand) {
	if len(ties) < 2 {
		return
	}
	if slices.ContainsFunc(o.keys, func(k sortKey) bool { return k.unique }) {
		slices.SortFunc(ties, o.compare) // they come in the order of their ids, so even very many are sorted soon
		return
	}
	shuffle.Shuffle(len(ties), func(i, j int) { ties[i], ties[j] = ties[j], ties[i] })
	slices.SortStableFunc(ties, o.compare)
}

func (o order) compare(a, b *entry) int {
	for _, key := range o.keys {
		c := key.compare(a, b)
		if key.descending {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return 0
}

// comparisons orders by one column.
var comparisons = map[string]func(a, b *entry) int{
	"id":                func(a, b *entry) int { return cmp.Compare(a.ID, b.ID) },
	"created_at":        func(a, b *entry) int { return cmp.Compare(a.at, b.at) },
	"actor_id":          byText("actor_id"),
	"actor_name":        byText("actor_name"),
	"actor_email":       byText("actor_email"),
	"action":            byText("action"),
	"request_id":        byText("request_id"),
	"source":            byText("source"),
	"source_ip_address": byText("source_ip_address"),
	"status":            byText("status"),
}

// byText compares as the database does: NULL comes after every text.
func byText(column string) func(a, b *entry) int {
	text := texts[column]
	return func(a, b *entry) int {
		switch aNull, bNull := a.null(column), b.null(column); {
		case aNull && bNull:
			return 0
		case aNull:
			return 1
		case bNull:
			return -1
		}
		return cmp.Compare(*text(&a.Row), *text(&b.Row))
	}
}

// texts finds one text column.
var texts = map[string]func(*Row) *string{
	"actor_id":          func(r *Row) *string { return &r.ActorID },
	"actor_name":        func(r *Row) *string { return &r.ActorName },
	"actor_email":       func(r *Row) *string { return &r.ActorEmail },
	"action":            func(r *Row) *string { return &r.Action },
	"request_id":        func(r *Row) *string { return &r.RequestID },
	"source":            func(r *Row) *string { return &r.SourceIP },
	"source_ip_address": func(r *Row) *string { return &r.SourceIP },
	"status":            func(r *Row) *string { return &r.Status },
}
