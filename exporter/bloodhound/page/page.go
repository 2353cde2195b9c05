// Package page reads the answers of GET /api/v2/audit: it makes records of their bytes, and names the elements that are no
// records.
//
// It reads the whole page, strictly: a malformed page is an error, and never a shifted record. [Glance] reads only the two ends
// of a page, so Houndtrail can ask for the next page early. The package also works on the records of several pages together: it
// orders them, drops repeats, and finds two records with the same id. It sends and logs nothing.
package page

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"
	"unsafe"

	"github.com/houndtrail/houndtrail/exporter/quote"
	"github.com/houndtrail/houndtrail/exporter/record"
)

// A Page is one answer of GET /api/v2/audit.
type Page struct {
	Records []record.Record
	// Count is how many rows of the whole table pass the column filters. before and after do not change it. It is -1 if the server
	// does not tell. It may disagree with the rows, since rows may be inserted between the two statements.
	Count int64
	// Limit is the limit that the server says it applied; -1 if it does not tell, 0 for none.
	Limit int64
	// Refused are the elements of data.logs that are JSON but no records.
	Refused []Refused

	already int // records that dst had before
}

// Parse checks a whole page and appends its records to dst. The records, and the bytes of refused elements, are views of body:
// if body changes, they change. If the caller gives an interner, values that repeat use the same memory. It may be nil.
//
// The envelope is {"count":…,"limit":…,"skip":…,"data":{"logs":[…]}}; the published documentation has only data, and
// null stands for no logs. Every error is a [*SyntaxError]; a page that has one yields no record.
func Parse(body []byte, dst []record.Record, shared *Interner) (Page, error) {
	p := Page{Records: dst, Count: -1, Limit: -1, already: len(dst)}
	err := checkUTF8(body)
	if err == nil {
		err = (&scanner{buf: body, shared: shared}).page(&p)
	}
	if err != nil {
		return Page{}, located(err, body)
	}
	return p, nil
}

func (s *scanner) page(p *Page) error {
	found := false
	err := s.object(func(key []byte) error {
		switch string(key) {
		case "count":
			return s.integer(&p.Count)
		case "limit":
			return s.integer(&p.Limit)
		case "data":
			return s.object(func(key []byte) error {
				if string(key) != "logs" {
					_, err := s.value()
					return err
				}
				if found {
					return s.fail("data.logs stands twice")
				}
				found = true
				return s.logs(p)
			})
		default:
			_, err := s.value()
			return err
		}
	})
	if err == nil {
		err = s.end()
	}
	if err == nil && !found {
		err = s.fail("no data.logs in it")
	}
	return err
}

func (s *scanner) logs(p *Page) error {
	if s.peek() == 'n' {
		return s.literal("null")
	}
	return s.array(func() error {
		start := s.pos
		p.Records = append(p.Records, record.Record{})
		last := len(p.Records) - 1
		err := s.record(&p.Records[last])
		if err != nil {
			p.Records = p.Records[:last]
			return s.refuse(p, start, err)
		}
		return nil
	})
}

func (s *scanner) integer(dst *int64) error {
	start := s.pos
	n, err := s.number()
	if err != nil {
		return err
	}
	if *dst, err = strconv.ParseInt(view(n), 10, 64); err != nil {
		return s.failAt(start, "%s is not a whole number of 64 bits", quote.Clip(string(n), longestQuote))
	}
	return nil
}

// id reads an id. A database sequence makes the ids, from 1 on.
func (s *scanner) id(dst *int64, seen *keys) error {
	if seen.id {
		return s.twice()
	}
	seen.id = true
	start := s.pos
	err := s.integer(dst)
	if err == nil && *dst < 1 {
		return s.failAt(start, "the id %d is below 1", *dst)
	}
	return err
}

func (s *scanner) twice() error { return s.fail("the key stands twice in one record") }

// keys are the keys that the scanner has found in a record.
type keys struct {
	id, createdAt bool
	columns       record.Set
	next          int  // place of the column that usually comes next
	source        bool // the record has the old name of the address
	address       bool // the value under the old name is not null
}

//nolint:gochecknoglobals // constants
var (
	columns = record.Columns()
	// asServed is how servers write the keys of a record; any other order is as good.
	asServed = func() []string {
		all := []string{`"id":`, `"created_at":`}
		for _, c := range columns {
			all = append(all, `"`+c.Name+`":`)
		}
		return all
	}()
	// sourceIP is the column that builds before 2024 call "source".
	sourceIP = slices.IndexFunc(columns, func(c record.Column) bool { return c.Name == "source_ip_address" })
)

// place is the index of the column of that name among all columns.
func (k *keys) place(name []byte) (at int, ok bool) {
	if at = k.next; at < len(columns) && columns[at].Name == string(name) {
		k.next++
		return at, true
	}
	at = slices.IndexFunc(columns, func(c record.Column) bool { return c.Name == string(name) })
	return at, at >= 0
}

// record reads one entry. A key that it does not know stays in Raw.
func (s *scanner) record(r *record.Record) error {
	start := s.pos
	var seen keys
	err := s.usual(asServed, func(key []byte) error {
		switch string(key) {
		case "id":
			return s.id(&r.ID, &seen)
		case "created_at":
			return s.createdAt(&r.CreatedAt, &seen)
		case "source":
			return s.source(r, &seen)
		}
		at, known := seen.place(key)
		if !known {
			_, err := s.value()
			return err
		}
		if seen.columns.Has(record.At(at)) {
			return s.twice()
		}
		seen.columns |= record.At(at)
		present, err := s.column(columns[at].Value(r), columns[at].Kind)
		if err == nil && !present {
			r.Absent |= record.At(at)
		}
		return err
	})
	if err != nil {
		return err
	}
	r.Raw = view(s.buf[start:s.pos])
	if !seen.id || !seen.createdAt {
		return s.failAt(start, "a record without id or created_at")
	}
	if seen.address && !seen.columns.Has(record.At(sourceIP)) {
		seen.columns |= record.At(sourceIP)
	}
	r.Absent = (r.Absent | ^seen.columns) & record.All
	return nil
}

// column reads a string or null, or JSON as it is; ok is false for null.
func (s *scanner) column(dst *string, kind record.Kind) (ok bool, err error) {
	if s.peek() == 'n' {
		*dst = ""
		return false, s.literal("null")
	}
	start := s.pos
	if kind == record.JSON {
		text, err := s.value()
		*dst = view(text)
		return true, err
	}
	inner, escaped, err := s.text()
	if err != nil {
		return false, err
	}
	if !escaped {
		*dst = s.keep(inner, kind == record.Repeats)
		return true, nil
	}
	// A column rarely has escapes, except for fields, which stays text. So the library may resolve them.
	if err := json.Unmarshal(s.buf[start:s.pos], dst); err != nil {
		return false, s.fail("%v", err)
	}
	return true, nil
}

// source reads source_ip_address under its old name, which builds before 2024 use. If a record has both names, the old one has
// no effect.
func (s *scanner) source(r *record.Record, seen *keys) error {
	if seen.columns.Has(record.At(sourceIP)) {
		_, err := s.value()
		return err
	}
	if seen.source {
		return s.twice()
	}
	seen.source = true
	present, err := s.column(columns[sourceIP].Value(r), columns[sourceIP].Kind)
	seen.address = present
	return err
}

func (s *scanner) createdAt(dst *time.Time, seen *keys) error {
	if seen.createdAt {
		return s.twice()
	}
	seen.createdAt = true
	return s.instant(dst)
}

// instant reads an RFC 3339 time with 0 to 9 fraction digits. It cuts the digits below a microsecond, as PostgreSQL does.
func (s *scanner) instant(dst *time.Time) error {
	start := s.pos
	inner, _, err := s.text()
	if err != nil {
		return err
	}
	if t, ok := s.day.utc(inner); ok {
		*dst = t
		return nil
	}
	t, err := time.Parse(time.RFC3339Nano, view(inner))
	if err != nil {
		return s.failAt(start, "%q is not an RFC 3339 time", quote.Clip(string(inner), longestQuote))
	}
	if *dst = t.UTC(); t.Nanosecond()%1000 != 0 {
		*dst = dst.Truncate(time.Microsecond)
	}
	return nil
}

func (s *scanner) keep(b []byte, repeats bool) string {
	if repeats && s.shared != nil {
		return s.shared.of(b)
	}
	return view(b)
}

// view returns b as a string without copying it.
func view(b []byte) string {
	return unsafe.String(unsafe.SliceData(b), len(b)) //nolint:gosec // the contract of the record says how long the string is valid
}
