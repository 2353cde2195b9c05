package search

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink/parquet"
)

// A Filter is column=predicate:value, with the API's names and meaning. For the id and created_at there are also gt, gte, lt
// and lte. For a text there is ~eq, as in the API's documentation: the text contains the value, in capital or small letters.
// The value null means that there is no value. The server sends NULL as "". So a column has no value if it is null, missing or
// "".
type Filter struct {
	Column, Predicate, Value string
}

func (f Filter) String() string { return f.Column + "=" + f.Predicate + ":" + f.Value }

// null is the value that means "no value".
const null = "null"

// conditions are filters that are ready to be evaluated.
type conditions struct {
	ids, instants parquet.Range
	equal         map[string]string
	columns       record.Set
	tests         []func(*record.Record) bool
}

// match tells whether all filters hold.
func (c *conditions) match(r *record.Record) bool {
	for _, test := range c.tests {
		if !test(r) {
			return false
		}
	}
	return true
}

// compile reads filters. Its error names every filter that no record could meet in a meaningful way.
func compile(filters []Filter) (*conditions, error) {
	all := parquet.Range{Low: math.MinInt64, High: math.MaxInt64}
	c := &conditions{ids: all, instants: all, equal: map[string]string{}}
	var errs []error
	for _, f := range filters {
		if err := c.add(f); err != nil {
			errs = append(errs, fmt.Errorf("the filter %s: %w", f, err))
		}
	}
	return c, errors.Join(errs...)
}

func (c *conditions) add(f Filter) error {
	switch f.Column {
	case "id":
		n, err := strconv.ParseInt(f.Value, 10, 64)
		if err != nil {
			return errors.New("want a whole number of 64 bits")
		}
		return c.number(f.Predicate, n, &c.ids, func(r *record.Record) int64 { return r.ID })
	case "created_at":
		t, err := time.Parse(time.RFC3339Nano, f.Value)
		if err != nil {
			return errors.New("want a time such as 2026-01-31T00:00:00Z")
		}
		return c.number(f.Predicate, t.UnixMicro(), &c.instants, func(r *record.Record) int64 { return r.CreatedAt.UnixMicro() })
	case "source": // the name in the API's documentation
		f.Column = "source_ip_address"
	}
	for i, column := range record.Columns() {
		if column.Name == f.Column {
			return c.text(f, i, column)
		}
	}
	return errors.New("there is no such column")
}

// number adds a comparison of numbers, and narrows the range of numbers to it.
func (c *conditions) number(predicate string, n int64, within *parquet.Range, of func(*record.Record) int64) error {
	bounds := map[string]parquet.Range{
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

func above(n int64) int64 { return max(n, n+1) } // no number is greater than the greatest one
func below(n int64) int64 { return min(n, n-1) }

// text adds a comparison of texts. If a column is null, it is neither equal to a text nor different from it, like NULL in a
// database.
func (c *conditions) text(f Filter, i int, column record.Column) error {
	c.columns |= record.At(i)
	absent := func(r *record.Record) bool { return r.Absent.Has(record.At(i)) }
	var test func(*record.Record) bool
	switch {
	case f.Predicate == "eq" && f.Value == null:
		test = func(r *record.Record) bool { return absent(r) || *column.Value(r) == "" }
	case f.Predicate == "neq" && f.Value == null:
		test = func(r *record.Record) bool { return !absent(r) && *column.Value(r) != "" }
	case f.Predicate == "eq":
		c.equal[f.Column] = f.Value
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
