package page

import (
	"encoding/binary"
	"math/bits"
)

// text checks a string. It returns the bytes between its quotes, and whether they have escapes to resolve.
func (s *scanner) text() (inner []byte, escaped bool, err error) {
	if err := s.expect('"'); err != nil {
		return nil, false, err
	}
	start := s.pos
	for {
		s.pos += plain(s.buf[s.pos:])
		if s.pos >= len(s.buf) {
			return nil, false, s.fail("it ends inside a string")
		}
		switch c := s.buf[s.pos]; c {
		case '"':
			inner = s.buf[start:s.pos]
			s.pos++
			return inner, escaped, nil
		case '\\':
			escaped = true
			if err := s.escape(); err != nil {
				return nil, false, err
			}
		default:
			return nil, false, s.fail("control character %#x in a string", c)
		}
	}
}

func (s *scanner) escape() error {
	rest := s.buf[s.pos+1:]
	if len(rest) == 0 {
		return s.fail("it ends inside an escape")
	}
	switch rest[0] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.pos += 2
		return nil
	case 'u':
		if len(rest) < 5 {
			return s.fail("it ends inside an escape")
		}
		for _, c := range rest[1:5] {
			if c-'0' > 9 && c|0x20-'a' > 5 {
				return s.fail("\\u without four hex digits")
			}
		}
		s.pos += 6
		return nil
	default:
		return s.fail("unknown escape %q", rest[:1])
	}
}

// plain counts the leading bytes that are neither quote, backslash nor control character. It takes eight bytes at a time: most
// of a page is inside strings, so scanning spends most of its time in this loop.
func plain(b []byte) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; i+8 <= len(b); i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		quote, back := x^('"'*ones), x^('\\'*ones)
		// A byte's high bit is set in hit if the byte is zero in quote or back, or below 0x20 in x. A borrow can only set bits above
		// a true hit, and only the lowest bit counts.
		hit := ((quote-ones)&^quote | (back-ones)&^back | (x-0x20*ones)&^x) & highs
		if hit != 0 {
			return i + bits.TrailingZeros64(hit)/8
		}
	}
	for ; i < len(b); i++ {
		if c := b[i]; c == '"' || c == '\\' || c < 0x20 {
			return i
		}
	}
	return i
}
