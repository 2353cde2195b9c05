package ndjson

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/houndtrail/houndtrail/exporter/record"
)

//nolint:gochecknoglobals // constants
var (
	columns = record.Columns()
	// address is the column that builds before 2024 call oldAddress.
	address = record.Of("source_ip_address")
)

// oldAddress has no effect if a record has the column by its new name too.
const oldAddress = "source"

// Columns sets the columns of a record from its Raw, which [Lines.Records] gave it. They are the same as at the export, except
// for line breaks in JSON: a line cannot have these. It compares a key as the server wrote it: for the exporter, a spelling
// with escapes is another key.
func Columns(r *record.Record) error {
	var seen record.Set
	old := ""
	r.Absent = record.All
	for m := Members(r.Raw); ; {
		key, value, err := m.Next()
		if err != nil {
			return err
		}
		if key == "" && value == "" { // the end of the object
			break
		}
		if key == oldAddress {
			old = value
			continue
		}
		at := slices.IndexFunc(columns, func(c record.Column) bool { return c.Name == key })
		if at < 0 {
			continue
		}
		seen |= record.At(at)
		if err := fill(r, record.At(at), &columns[at], value); err != nil {
			return err
		}
	}
	if old == "" || seen.Has(address) {
		return nil
	}
	at := slices.IndexFunc(columns, func(c record.Column) bool { return record.Of(c.Name) == address })
	return fill(r, address, &columns[at], old)
}

// fill sets a column to a value, as JSON has it.
func fill(r *record.Record, set record.Set, c *record.Column, value string) error {
	to := c.Value(r)
	inner, closed := strings.CutSuffix(strings.TrimPrefix(value, `"`), `"`)
	switch {
	case value == "null":
		*to = ""
		return nil
	case c.Kind == record.JSON:
		*to = value
	case len(value) < 2 || value[0] != '"' || !closed:
		return fmt.Errorf("its %s is no string", c.Name)
	case strings.IndexByte(inner, '\\') < 0:
		*to = inner
	default:
		if err := json.Unmarshal([]byte(value), to); err != nil {
			return fmt.Errorf("its %s: %w", c.Name, err)
		}
	}
	r.Absent &^= set
	return nil
}
