package filter

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/exporter/record"
)

// null is the value that means "no value".
const null = "null"

// Conditions are filters that are ready to compare with records. They do not change: several goroutines may use them. Nil
// Conditions hold for every record.
type Conditions struct {
	// Each record for which the Conditions hold has values within these bounds. So a search need not look at other records.
	IDs, Instants Range             // Instants are microseconds since the epoch
	Equal         map[string]string // the texts of columns
	Columns       record.Set        // those that the caller has to read

	filters []Filter
	tests   []func(*record.Record) bool
}

// A Range has the numbers from Low to High, both included.
type Range struct{ Low, High int64 }

// String returns the filters as a user types them. It is "" if there are none.
func (c *Conditions) String() string {
	if c == nil {
		return ""
	}
	texts := make([]string, len(c.filters))
	for i, f := range c.filters {
		f.Value = strings.NewReplacer("%", "%25", "&", "%26").Replace(f.Value)
		texts[i] = f.String()
	}
	return strings.Join(texts, "&")
}

// Match tells whether all filters hold for a record.
func (c *Conditions) Match(r *record.Record) bool {
	if c == nil {
		return true
	}
	for _, test := range c.tests {
		if !test(r) {
			return false
		}
	}
	return true
}

// Compile returns the conditions for all filters together. Its error names each filter that makes no sense for any record.
func Compile(filters []Filter) (*Conditions, error) {
	all := Range{Low: math.MinInt64, High: math.MaxInt64}
	c := &Conditions{IDs: all, Instants: all, Equal: map[string]string{}, filters: slices.Clone(filters)}
	var errs []error
	for _, f := range filters {
		if err := c.add(f); err != nil {
			errs = append(errs, fmt.Errorf("the filter %s: %w", f, err))
		}
	}
	return c, errors.Join(errs...)
}

func (c *Conditions) add(f Filter) error {
	switch f.Column {
	case "id":
		n, err := strconv.ParseInt(f.Value, 10, 64)
		if err != nil {
			return errors.New("want a whole number of 64 bits")
		}
		return c.number(f.Predicate, n, &c.IDs, func(r *record.Record) int64 { return r.ID })
	case "created_at":
		t, err := time.Parse(time.RFC3339Nano, f.Value)
		if err != nil {
			return errors.New("want a time such as 2026-01-31T00:00:00Z")
		}
		return c.number(f.Predicate, t.UnixMicro(), &c.Instants, func(r *record.Record) int64 { return r.CreatedAt.UnixMicro() })
	case "source": // the name in the API's documentation
		f.Column = "source_ip_address"
	}
	for i, column := range record.Columns() {
		if column.Name == f.Column {
			return c.text(f, i, column)
		}
	}
	names := []string{"id", "created_at"}
	for _, column := range record.Columns() {
		names = append(names, column.Name)
	}
	return fmt.Errorf("there is no such column; the columns are %s", strings.Join(names, ", "))
}

// number adds a comparison of numbers, and narrows their range.
func (c *Conditions) number(predicate string, n int64, within *Range, of func(*record.Record) int64) error {
	bounds := map[string]Range{
		"eq": {Low: n, High: n}, "gte": {Low: n, High: math.MaxInt64}, "lte": {Low: math.MinInt64, High: n},
		"gt": {Low: above(n), High: math.MaxInt64}, "lt": {Low: math.MinInt64, High: below(n)},
		"neq": {Low: math.MinInt64, High: math.MaxInt64},
	}
	b, ok := bounds[predicate]
	if !ok {
		return errors.New("want eq, neq, gt, gte, lt or lte")
	}
	within.Low, within.High = max(within.Low, b.Low), min(within.High, b.High)
	strict := map[string]bool{"neq": true, "gt": true, "lt": true}[predicate]
	c.tests = append(c.tests, func(r *record.Record) bool {
		v := of(r)
		return b.Low <= v && v <= b.High && (!strict || v != n)
	})
	return nil
}

func above(n int64) int64 { return max(n, n+1) } // no number is above the largest one
func below(n int64) int64 { return min(n, n-1) }

// text adds a comparison of texts. As with the database's NULL, a column that is null is neither equal to a text nor different from
// it.
func (c *Conditions) text(f Filter, i int, column record.Column) error {
	c.Columns |= record.At(i)
	absent := func(r *record.Record) bool { return r.Absent.Has(record.At(i)) }
	var test func(*record.Record) bool
	switch {
	case f.Predicate == "eq" && f.Value == null:
		test = func(r *record.Record) bool { return absent(r) || *column.Value(r) == "" }
	case f.Predicate == "neq" && f.Value == null:
		test = func(r *record.Record) bool { return !absent(r) && *column.Value(r) != "" }
	case f.Predicate == "eq":
		c.Equal[f.Column] = f.Value
		test = func(r *record.Record) bool { return !absent(r) && *column.Value(r) == f.Value }
	case f.Predicate == "neq":
		test = func(r *record.Record) bool { return !absent(r) && *column.Value(r) != f.Value }
	case f.Predicate == "~eq":
		part := strings.ToLower(f.Value)
		test = func(r *record.Record) bool {
			return !absent(r) && strings.Contains(strings.ToLower(*column.Value(r)), part)
		}
	default:
		return errors.New("want eq, neq or ~eq")
	}
	c.tests = append(c.tests, test)
	return nil
}
