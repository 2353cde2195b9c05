// Package filter compares records with the filters of BloodHound's API, in the API's own grammar. It is pure.
//
// A [Filter] is column=predicate:value. The columns are those of a record. The column source is another name of source_ip_address:
// the API's documentation uses it. The server itself does not filter by commit_id and fields. The text of fields is its JSON.
//
//   - eq is equal and neq is not equal. They compare the texts as they are, with capital and small letters.
//   - ~eq is for texts: the text contains the value, in capital or small letters. The API's documentation has it, but servers
//     refuse it.
//   - gt, gte, lt and lte are for id and created_at.
//   - The value null means "no value". A column that is null, missing or "" is eq:null, since servers write NULL as "". A column
//     that is null or missing is neither eq nor neq to any other value, as in the server's database. If you want such records too,
//     do not filter by that column.
package filter

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// A Filter is column=predicate:value.
type Filter struct {
	Column, Predicate, Value string
}

// String returns the filter as a user types it.
func (f Filter) String() string { return f.Column + "=" + f.Predicate + ":" + f.Value }

var predicates = []string{"eq", "neq", "gt", "gte", "lt", "lte", "~eq"} //nolint:gochecknoglobals // a constant

// Parse reads "predicate:value" for a column. A value without a predicate means eq: a server would drop it in silence.
func Parse(column, text string) Filter {
	if predicate, value, ok := cutPredicate(text); ok {
		return Filter{column, predicate, value}
	}
	return Filter{column, "eq", text}
}

func cutPredicate(text string) (predicate, value string, ok bool) {
	predicate, value, ok = strings.Cut(text, ":")
	return predicate, value, ok && slices.Contains(predicates, predicate)
}

// ParseAll reads filters as a query string has them: column=predicate:value, with an & between two of them. In a value, %26 means &
// and %25 means %. A + is a +. ParseAll is strict: a filter without a predicate, or with a misspelt one, would leave out every
// record.
func ParseAll(text string) ([]Filter, error) {
	var filters []Filter
	var errs []error
	for part := range strings.SplitSeq(text, "&") {
		column, test, found := strings.Cut(part, "=")
		predicate, value, known := cutPredicate(test)
		value, err := url.PathUnescape(value)
		switch {
		case !found || column == "" || !known:
			errs = append(errs, fmt.Errorf("the filter %q: want column=predicate:value with one of the predicates %s, such as status=neq:intent",
				part, strings.Join(predicates, ", ")))
		case err != nil:
			errs = append(errs, fmt.Errorf("the filter %q: write %% as %%25", part))
		case value == "":
			errs = append(errs, fmt.Errorf("the filter %q has no value: null stands for none", part))
		default:
			filters = append(filters, Filter{column, predicate, value})
		}
	}
	return filters, errors.Join(errs...)
}
