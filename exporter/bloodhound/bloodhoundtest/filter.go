package bloodhoundtest

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/internal/api"
)

// dialect is how a generation finds a filter in a parameter, and how it reads the filter.
//
// The servers look for the predicate anywhere in the value, and end the operand at the first character outside their
// class. The class was meant to have a hyphen and an underscore in it, but has the ASCII range between
// them. A value without a predicate is no filter, and no error either. All of that is the same in every generation.
type dialect struct {
	pattern  *regexp.Regexp
	anchored bool // the whole value is a filter, or the request is wrong
	single   bool // parameters are bound as one argument, so a second filter is a syntax error
	literals bool // operands go into the SQL by their look: numbers and booleans unquoted, null as NULL
}

var (
	anywhere   = regexp.MustCompile(`(~?\w+):([a-z \--_]+)`)
	bound      = dialect{pattern: anywhere, single: true}
	literal    = dialect{pattern: anywhere, literals: true}
	wholeValue = dialect{pattern: regexp.MustCompile(`(?s)^(~?\w+):(.+)$`), anchored: true}
)

// A filter is one column=predicate:operand of a request.
type filter struct {
	column, predicate, operand string
	match                      func(*entry) bool
}

func matches(filters []filter, e *entry) bool {
	for _, f := range filters {
		if !f.match(e) {
			return false
		}
	}
	return true
}

// parse reads the filters of a query, then checks that their columns and predicates go together.
func (d dialect) parse(values url.Values, reserved []string, columns map[string][]string) ([]filter, error) {
	var filters []filter
	for _, column := range slices.Sorted(maps.Keys(values)) {
		if slices.Contains(reserved, column) || d.anchored && columns[column] == nil {
			continue
		}
		for _, value := range values[column] {
			found := d.pattern.FindStringSubmatch(value)
			switch {
			case found == nil && d.anchored, found != nil && !slices.Contains(predicates, found[1]):
				return nil, badRequest("there are errors in the query parameter filters specified")
			case found != nil:
				filters = append(filters, filter{column: column, predicate: found[1], operand: found[2]})
			}
		}
	}
	for _, f := range filters {
		if columns[f.column] == nil {
			return nil, badRequest("the specified column cannot be filtered: " + f.column)
		}
		if !slices.Contains(columns[f.column], f.predicate) {
			return nil, badRequest(fmt.Sprintf(
				"the specified filter predicate is not supported for this column: %s %s", f.column, f.predicate))
		}
	}
	return filters, nil
}

var predicates = []string{"eq", "neq", "gt", "gte", "lt", "lte", "~eq"}

// compile turns filters into the conditions of the database. Its errors are the database's.
func (d dialect) compile(filters []filter, now time.Time) error {
	if d.single && len(filters) > 1 {
		return errors.New("syntax error at or near \",\"")
	}
	for i := range filters {
		match, err := d.condition(filters[i], now)
		if err != nil {
			return err
		}
		filters[i].match = match
	}
	return nil
}

func (d dialect) condition(f filter, now time.Time) (func(*entry) bool, error) {
	if d.literals && f.operand == "null" {
		return nullCondition(f), nil
	}
	switch f.column {
	case "id":
		return d.idCondition(f)
	case "created_at":
		at, err := databaseTime(f.operand, now)
		if err != nil {
			return nil, err
		}
		return func(e *entry) bool {
			return !e.CreatedAt.IsZero() && holds(f.predicate, cmp.Compare(e.at, at))
		}, nil
	default:
		if d.literals && unquoted(f.operand) {
			return nil, errors.New("operator does not exist: text = integer")
		}
		return textCondition(f), nil
	}
}

// precision is the precision of an operand as a number, in bits: an id of 64 bits fits with room to spare.
const precision = 256

// idCondition compares ids. A literal may be any number, for the database compares ids with it as numbers; a bound
// parameter has to be an id.
func (d dialect) idCondition(f filter) (func(*entry) bool, error) {
	if f.predicate == "~eq" {
		return func(e *entry) bool { return strings.Contains(strconv.FormatInt(e.ID, 10), f.operand) }, nil
	}
	if id, err := strconv.ParseInt(f.operand, 10, 64); err == nil {
		return func(e *entry) bool { return holds(f.predicate, cmp.Compare(e.ID, id)) }, nil
	}
	number, _, err := big.ParseFloat(f.operand, 10, precision, big.ToNearestEven)
	if err != nil || number.IsInf() || !d.literals || !unquoted(f.operand) {
		return nil, fmt.Errorf("invalid input syntax for type bigint: %q", f.operand)
	}
	return func(e *entry) bool { return holds(f.predicate, new(big.Float).SetInt64(e.ID).Cmp(number)) }, nil
}

// textCondition compares texts. NULL is neither equal to a text nor different from it.
func textCondition(f filter) func(*entry) bool {
	text := texts[f.column]
	if f.predicate == "~eq" {
		part := strings.ToLower(f.operand)
		return func(e *entry) bool { return strings.Contains(strings.ToLower(*text(&e.Row)), part) }
	}
	equal := f.predicate == "eq"
	return func(e *entry) bool { return !e.null(f.column) && (*text(&e.Row) == f.operand) == equal }
}

// nullCondition is IS NULL and IS NOT NULL.
func nullCondition(f filter) func(*entry) bool {
	null := func(e *entry) bool { return e.null(f.column) }
	switch f.column {
	case "id":
		null = func(*entry) bool { return false }
	case "created_at":
		null = func(e *entry) bool { return e.CreatedAt.IsZero() }
	}
	switch f.predicate {
	case "eq":
		return null
	case "neq":
		return func(e *entry) bool { return !null(e) }
	default:
		return func(*entry) bool { return false }
	}
}

func holds(predicate string, c int) bool {
	switch predicate {
	case "eq":
		return c == 0
	case "neq":
		return c != 0
	case "gt":
		return c > 0
	case "gte":
		return c >= 0
	case "lt":
		return c < 0
	default:
		return c <= 0
	}
}

// unquoted tells whether an operand passes for a number or a boolean.
func unquoted(operand string) bool {
	if _, err := strconv.ParseFloat(operand, 64); err == nil {
		return true
	}
	_, err := strconv.ParseBool(operand)
	return err == nil
}

// databaseTime reads a time as the database does. If a time lost its offset on the way, it is in the session's time zone, which
// is UTC here. The database has several words for times; databaseTime knows only now.
func databaseTime(operand string, now time.Time) (micros int64, err error) {
	if operand == "now" {
		return now.UnixMicro(), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05", "2006-01-02"} {
		if t, err := time.Parse(layout, operand); err == nil {
			return t.UnixMicro(), nil
		}
	}
	return 0, fmt.Errorf("invalid input syntax for type timestamp with time zone: %q", operand)
}

func badRequest(message string) *api.Error {
	return &api.Error{Status: http.StatusBadRequest, Message: message}
}
