package bloodhound

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"
	"unsafe"
)

// A Page is one answer of GET /api/v2/audit.
type Page struct {
	Records []Record
	// Count is how many rows of the whole table pass the column filters, whatever before and after say; -1 where
	// the server does not tell. It may disagree with the rows by what was inserted between the two statements.
	Count int64
	// Limit is the limit that the server says it applied; -1 where it does not tell, 0 for none.
	Limit int64
}

// ParsePage checks a whole page and appends its records to dst. The records are views of body: they change when it does.
//
// The envelope is {"count":…,"limit":…,"skip":…,"data":{"logs":[…]}}; the published documentation has only data, and
// null stands for no logs. Every error is a [*SyntaxError]; a page that has one yields no record.
func ParsePage(body []byte, dst []Record) (Page, error) { return parsePage(body, dst, nil) }

// parsePage lets values that repeat share one copy, where it is given an interner for them.
func parsePage(body []byte, dst []Record, shared *interner) (Page, error) {
	p := Page{Records: dst, Count: -1, Limit: -1}
	if err := checkUTF8(body); err != nil {
		return Page{}, err
	}
	s := &scanner{buf: body, shared: shared}
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
				return s.logs(&p)
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
	if err != nil {
		return Page{}, err
	}
	return p, nil
}

func (s *scanner) logs(p *Page) error {
	if s.peek() == 'n' {
		return s.literal("null")
	}
	return s.array(func() error {
		p.Records = append(p.Records, Record{})
		return s.record(&p.Records[len(p.Records)-1])
	})
}

func (s *scanner) integer(dst *int64) error {
	n, err := s.number()
	if err != nil {
		return err
	}
	if *dst, err = strconv.ParseInt(view(n), 10, 64); err != nil {
		return s.fail("%s is not a whole number of 64 bits", n)
	}
	return nil
}

// Keys beside the string columns that a record must have, in the same bit set.
const (
	seenID Columns = 1 << (iota + 9)
	seenCreatedAt
	seenSource
)

// asServed is how servers write the keys of a record; any other order is as good.
//
//nolint:gochecknoglobals // a constant
var asServed = []string{
	`"id":`, `"created_at":`, `"actor_id":`, `"actor_name":`, `"actor_email":`, `"action":`, `"fields":`, `"request_id":`,
	`"source_ip_address":`, `"commit_id":`, `"status":`,
}

// record reads one entry. Keys that it does not know stay in Raw.
func (s *scanner) record(r *Record) error {
	start := s.pos
	var seen Columns
	const repeating = ActorID | ActorName | ActorEmail | Action | SourceIP | Status
	column := func(c Columns, dst *string) error {
		if seen.Has(c) {
			return s.fail("a key stands twice in one record")
		}
		seen |= c
		ok, err := s.column(dst, repeating.Has(c))
		if err == nil && !ok {
			r.Absent |= c
		}
		return err
	}
	err := s.usual(asServed, func(key []byte) error {
		switch string(key) {
		case "id":
			seen |= seenID
			return s.integer(&r.ID)
		case "created_at":
			seen |= seenCreatedAt
			return s.instant(&r.CreatedAt)
		case "actor_id":
			return column(ActorID, &r.ActorID)
		case "actor_name":
			return column(ActorName, &r.ActorName)
		case "actor_email":
			return column(ActorEmail, &r.ActorEmail)
		case "action":
			return column(Action, &r.Action)
		case "fields":
			return s.fields(r, &seen)
		case "request_id":
			return column(RequestID, &r.RequestID)
		case "source_ip_address":
			return column(SourceIP, &r.SourceIP)
		case "source": // what builds before 2024 call source_ip_address
			if seen.Has(SourceIP) {
				_, err := s.value()
				return err
			}
			return column(seenSource, &r.SourceIP)
		case "commit_id":
			return column(CommitID, &r.CommitID)
		case "status":
			return column(Status, &r.Status)
		default:
			_, err := s.value()
			return err
		}
	})
	if err != nil {
		return err
	}
	r.Raw = view(s.buf[start:s.pos])
	return s.complete(r, seen)
}

// complete checks that the record has what every record must have, and notes what it has not.
func (s *scanner) complete(r *Record, seen Columns) error {
	if !seen.Has(seenID | seenCreatedAt) {
		return s.fail("a record without id or created_at")
	}
	if !seen.Has(SourceIP) && seen.Has(seenSource) && !r.Absent.Has(seenSource) {
		seen |= SourceIP
	}
	r.Absent = (r.Absent | ^seen) & allColumns
	return nil
}

// column reads a string or null; ok is false for null.
func (s *scanner) column(dst *string, repeats bool) (ok bool, err error) {
	if s.peek() == 'n' {
		*dst = ""
		return false, s.literal("null")
	}
	start := s.pos
	inner, escaped, err := s.text()
	if err != nil {
		return false, err
	}
	if !escaped {
		*dst = s.keep(inner, repeats)
		return true, nil
	}
	// Escapes are rare outside fields, which is kept as text: the library resolves them.
	if err := json.Unmarshal(s.buf[start:s.pos], dst); err != nil {
		return false, s.fail("%v", err)
	}
	return true, nil
}

func (s *scanner) fields(r *Record, seen *Columns) error {
	if seen.Has(Fields) {
		return s.fail("a key stands twice in one record")
	}
	*seen |= Fields
	if s.peek() == 'n' {
		r.Absent |= Fields
		return s.literal("null")
	}
	text, err := s.value()
	r.Fields = view(text)
	return err
}

// instant reads an RFC 3339 time with 0 to 9 fraction digits; what is finer than a microsecond is cut, as PostgreSQL does.
func (s *scanner) instant(dst *time.Time) error {
	inner, _, err := s.text()
	if err != nil {
		return err
	}
	t, err := time.Parse(time.RFC3339Nano, view(inner))
	if err != nil {
		return s.fail("created_at is not an RFC 3339 time: %q", inner)
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
	return unsafe.String(unsafe.SliceData(b), len(b)) //nolint:gosec // the record's contract says how long it holds
}

// explain says where the page came from, which a SyntaxError does not know.
func explain(err error, target string) error {
	if syntax := (*SyntaxError)(nil); errors.As(err, &syntax) {
		return fmt.Errorf("GET %s answered 200 with a body that cannot be trusted, so no record of it is used: %w", target, err)
	}
	return err
}

// checkUTF8 is the one rule that the scanner leaves to a pass of its own: Parquet strings must be UTF-8.
func checkUTF8(b []byte) error {
	if utf8.Valid(b) {
		return nil
	}
	at := 0
	for at < len(b) {
		r, n := utf8.DecodeRune(b[at:])
		if r == utf8.RuneError && n == 1 {
			break
		}
		at += n
	}
	return &SyntaxError{Offset: at, Reason: "not UTF-8"}
}
