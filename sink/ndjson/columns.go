package ndjson

import (
	"encoding/json"
	"errors"
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
	for m := (members{rest: r.Raw}); ; {
		key, value, err := m.next()
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

// members goes through the members of a JSON object. The caller knows that it is JSON.
type members struct {
	rest  string
	begun bool
}

var errMembers = errors.New("it is no JSON object")

// next returns the next key, as it stands between its quotes, and the text of its value. At the end, the value is empty.
func (m *members) next() (key, value string, err error) {
	m.rest = strings.TrimLeft(m.rest, blanks)
	switch {
	case strings.HasPrefix(m.rest, "}"):
		return "", "", nil
	case strings.HasPrefix(m.rest, "{") && !m.begun, strings.HasPrefix(m.rest, ",") && m.begun:
	default:
		return "", "", errMembers
	}
	m.begun, m.rest = true, strings.TrimLeft(m.rest[1:], blanks)
	if strings.HasPrefix(m.rest, "}") {
		return "", "", nil
	}
	end := textEnd(m.rest)
	if end < 2 {
		return "", "", errMembers
	}
	key = m.rest[1 : end-1]
	rest, found := strings.CutPrefix(strings.TrimLeft(m.rest[end:], blanks), ":")
	m.rest = strings.TrimLeft(rest, blanks)
	if end = valueEnd(m.rest); !found || end == 0 {
		return "", "", errMembers
	}
	value, m.rest = m.rest[:end], m.rest[end:]
	return key, value, nil
}

// textEnd is the length of the string at the beginning of a text, with its quotes. It is 0 if there is no string.
func textEnd(text string) int {
	if !strings.HasPrefix(text, `"`) {
		return 0
	}
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return 0
}

// valueEnd is the length of the value at the beginning of a text. It is 0 if the value breaks off.
func valueEnd(text string) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			n := textEnd(text[i:])
			if n == 0 || depth == 0 {
				return n
			}
			i += n - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return i
			}
		}
	}
	return 0
}
