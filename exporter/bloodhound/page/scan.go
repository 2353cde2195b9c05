package page

import "fmt"

// maxDepth limits the nesting, as encoding/json does: a deeper document is an attack or a bug, not an audit log.
const maxDepth = 10_000

// A scanner reads one JSON text strictly, in a single pass, and returns views of it.
//
// Houndtrail must check a page in full: a malformed page is an error, never a shifted record. Yet `fields` must come out byte
// for byte as the server sent it. A decoder that builds values cannot do both. That is why there is a scanner. The fuzz test
// compares its verdict with encoding/json's.
type scanner struct {
	buf []byte
	pos int

	shared *Interner // nil for none
	day    latestDay
}

func (s *scanner) fail(format string, args ...any) error { return s.failAt(s.pos, format, args...) }

// failAt is for a fault of a whole value: the scanner notices it only after the value.
func (s *scanner) failAt(offset int, format string, args ...any) error {
	return &SyntaxError{Index: -1, Offset: offset, Reason: fmt.Sprintf(format, args...)}
}

func (s *scanner) space() {
	for s.pos < len(s.buf) {
		switch s.buf[s.pos] {
		case ' ', '\n', '\r', '\t':
			s.pos++
		default:
			return
		}
	}
}

// peek skips white space and returns the next byte without taking it; 0 at the end.
func (s *scanner) peek() byte {
	if s.pos < len(s.buf) && s.buf[s.pos] > ' ' { // servers write no white space between tokens
		return s.buf[s.pos]
	}
	s.space()
	if s.pos == len(s.buf) {
		return 0
	}
	return s.buf[s.pos]
}

func (s *scanner) expect(c byte) error {
	if got := s.peek(); got != c {
		if got == 0 && s.pos == len(s.buf) {
			return s.fail("it ends where %q is expected", c)
		}
		return s.fail("%q where %q is expected", got, c)
	}
	s.pos++
	return nil
}

// end checks that nothing but white space is left.
func (s *scanner) end() error {
	s.space()
	if s.pos != len(s.buf) {
		return s.fail("data after the end")
	}
	return nil
}

// object calls member for each key. The scanner then stands at the value, and member must take it. It passes a key as it stands
// between its quotes: if a known key is written with escapes, it counts as unknown, and no server writes it so.
func (s *scanner) object(member func(key []byte) error) error { return s.usual(nil, member) }

// usual is like object, for an object that usually has these members in this order.
func (s *scanner) usual(members []string, member func(key []byte) error) error {
	if err := s.expect('{'); err != nil {
		return err
	}
	if s.peek() == '}' {
		s.pos++
		return nil
	}
	for i := 0; ; i++ {
		guess := ""
		if i < len(members) {
			guess = members[i]
		}
		key, err := s.key(guess)
		if err != nil {
			return err
		}
		s.peek()
		if err := member(key); err != nil {
			return err
		}
		if s.peek() == ',' {
			s.pos++
			continue
		}
		return s.expect('}')
	}
}

// key takes a key and its colon. The guess is the usual text of both.
func (s *scanner) key(guess string) ([]byte, error) {
	if end := s.pos + len(guess); guess != "" && end <= len(s.buf) && string(s.buf[s.pos:end]) == guess {
		key := s.buf[s.pos+1 : end-2]
		s.pos = end
		return key, nil
	}
	key, _, err := s.text()
	if err != nil {
		return nil, err
	}
	return key, s.expect(':')
}

// array calls element at each element. element must take it.
func (s *scanner) array(element func() error) error {
	if err := s.expect('['); err != nil {
		return err
	}
	if s.peek() == ']' {
		s.pos++
		return nil
	}
	for {
		s.peek()
		if err := element(); err != nil {
			return err
		}
		if s.peek() == ',' {
			s.pos++
			continue
		}
		return s.expect(']')
	}
}

// value checks one value of any kind and returns its text.
func (s *scanner) value() ([]byte, error) {
	s.peek()
	start := s.pos
	if err := s.skip(0); err != nil {
		return nil, err
	}
	return s.buf[start:s.pos], nil
}

func (s *scanner) skip(depth int) error {
	if depth > maxDepth {
		return s.fail("nested deeper than %d levels", maxDepth)
	}
	switch c := s.peek(); {
	case c == '"':
		_, _, err := s.text()
		return err
	case c == '{':
		return s.object(func([]byte) error { return s.skip(depth + 1) })
	case c == '[':
		return s.array(func() error { return s.skip(depth + 1) })
	case c == '-' || c >= '0' && c <= '9':
		_, err := s.number()
		return err
	case c == 't':
		return s.literal("true")
	case c == 'f':
		return s.literal("false")
	case c == 'n':
		return s.literal("null")
	case s.pos == len(s.buf):
		return s.fail("it ends where a value is expected")
	default:
		return s.fail("%q where a value is expected", c)
	}
}

func (s *scanner) literal(word string) error {
	if len(s.buf)-s.pos < len(word) || string(s.buf[s.pos:s.pos+len(word)]) != word {
		return s.fail("not a value")
	}
	s.pos += len(word)
	return nil
}

// number checks a number by JSON's grammar and returns its text.
func (s *scanner) number() ([]byte, error) {
	start := s.pos
	if s.pos < len(s.buf) && s.buf[s.pos] == '-' {
		s.pos++
	}
	if s.pos < len(s.buf) && s.buf[s.pos] == '0' {
		s.pos++
	} else if s.digits() == 0 {
		return nil, s.fail("a number without digits")
	}
	if s.pos < len(s.buf) && s.buf[s.pos] == '.' {
		s.pos++
		if s.digits() == 0 {
			return nil, s.fail("a number without digits after the point")
		}
	}
	if s.pos < len(s.buf) && (s.buf[s.pos] == 'e' || s.buf[s.pos] == 'E') {
		s.pos++
		if s.pos < len(s.buf) && (s.buf[s.pos] == '+' || s.buf[s.pos] == '-') {
			s.pos++
		}
		if s.digits() == 0 {
			return nil, s.fail("a number without digits in its exponent")
		}
	}
	return s.buf[start:s.pos], nil
}

func (s *scanner) digits() (n int) {
	for s.pos < len(s.buf) && s.buf[s.pos]-'0' <= 9 {
		s.pos++
		n++
	}
	return n
}
