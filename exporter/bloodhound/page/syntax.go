package page

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/houndtrail/houndtrail/exporter/quote"
)

// longestQuote is how many characters of a value an error quotes at most.
const longestQuote = 60

// A SyntaxError names a fault: a part of a page that is not as the API promises. It helps the user to find that place.
type SyntaxError struct {
	Index  int    // place of the record in the page, from 0; -1 outside of the records
	ID     int64  // id of that record; 0 if it cannot be read
	Key    string // the key with the wrong value; "" if the fault is not in a single value
	Offset int    // in bytes, into the decoded body
	Around string // up to 60 characters around the offset, made printable
	Reason string
}

// Error says all of it on one line.
func (e *SyntaxError) Error() string {
	var b strings.Builder
	b.WriteString("the page")
	if e.Index >= 0 {
		fmt.Fprintf(&b, "'s record at index %d", e.Index)
		if e.ID != 0 {
			fmt.Fprintf(&b, " (id %d)", e.ID)
		}
	}
	if e.Key != "" {
		fmt.Fprintf(&b, ", key %q", quote.Clip(e.Key, longestQuote))
	}
	fmt.Fprintf(&b, ": %s, at byte %d", e.Reason, e.Offset)
	if e.Around != "" {
		fmt.Fprintf(&b, ", around: %s", e.Around)
	}
	return b.String()
}

// located adds the place of the offset to a scanner's error. For that it scans the page a second time, so the first scan need
// not keep track of places.
func located(err error, body []byte) error {
	e, ok := errors.AsType[*SyntaxError](err)
	if !ok {
		return err
	}
	e.Around = around(body, e.Offset)
	s := &scanner{buf: body}
	_ = s.object(func(key []byte) error {
		if string(key) != "data" || s.peek() != '{' {
			return e.value(s, key)
		}
		return s.object(func(key []byte) error {
			if string(key) != "logs" || s.peek() != '[' {
				return e.value(s, key)
			}
			index := -1
			return s.array(func() error {
				index++
				start := s.pos
				_, err := s.value()
				if e.within(start, s.pos, err) {
					e.Index = index
					e.inRecord(body, start)
				}
				return err
			})
		})
	})
	return e
}

// within tells whether the offset is in a value that the scanner read from start to end, or up to an error.
func (e *SyntaxError) within(start, end int, err error) bool {
	return start <= e.Offset && (err != nil || e.Offset < end)
}

// value scans the value of a key.
func (e *SyntaxError) value(s *scanner, key []byte) error {
	start := s.pos
	_, err := s.value()
	if e.within(start, s.pos, err) {
		e.Key = quote.OneLine(string(key))
	}
	return err
}

// inRecord finds the key. It reads the id and the creation time of the record that begins at start, if they can be read.
func (e *SyntaxError) inRecord(body []byte, start int) (createdAt time.Time) {
	s := &scanner{buf: body, pos: start}
	_ = s.object(func(key []byte) error {
		from := s.pos
		if err := e.value(s, key); err != nil {
			return err
		}
		switch text := s.buf[from:s.pos]; string(key) {
		case "id":
			if n, err := strconv.ParseInt(string(text), 10, 64); err == nil && e.ID == 0 {
				e.ID = n
			}
		case "created_at":
			if createdAt.IsZero() {
				_ = (&scanner{buf: text}).instant(&createdAt)
			}
		}
		return nil
	})
	return createdAt
}

// around is the text within 30 characters of the offset, fit for a log or a terminal.
func around(body []byte, offset int) string {
	const side = 30
	offset = min(offset, len(body))
	for offset > 0 && offset < len(body) && !utf8.RuneStart(body[offset]) {
		offset--
	}
	from, to := offset, offset
	for range side {
		_, n := utf8.DecodeLastRune(body[:from])
		_, m := utf8.DecodeRune(body[to:])
		from, to = from-n, to+m
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '·'
	}, strings.ToValidUTF8(string(body[from:to]), "\uFFFD"))
}

// checkUTF8 refuses a page that is not UTF-8, since Parquet strings must be UTF-8. The scanner does not check this rule: it has
// a pass of its own.
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
	return &SyntaxError{Index: -1, Offset: at, Reason: "not UTF-8"}
}
