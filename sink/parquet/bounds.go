package parquet

import "unicode/utf8"

// boundBytes is how many bytes of a string the statistics have: all of a UUID, and of most names, addresses and actions. The
// library writes the whole string, twice for each page. Then a record of 9 MB makes a footer of 18 MB.
const boundBytes = 64

// bounds are the smallest and the greatest of several strings, as pointers to them.
type bounds struct{ low, high *string }

// add widens the bounds so that they include a string. It ignores nil, which is NULL.
func (b *bounds) add(s *string) {
	switch {
	case s == nil:
	case b.low == nil:
		b.low, b.high = s, s
	case *s < *b.low:
		b.low = s
	case *s > *b.high:
		b.high = s
	}
}

// merge widens the bounds so that they include other bounds.
func (b *bounds) merge(other bounds) {
	b.add(other.low)
	b.add(other.high)
}

// cut returns the bounds for the statistics. If there were only NULLs, both are nil. ok is false if the greatest string has no
// upper bound of that length.
func (b *bounds) cut() (low, high []byte, ok bool) {
	if b.low == nil {
		return nil, nil, true
	}
	high, ok = upperBound(*b.high)
	return append([]byte{}, prefix(*b.low)...), high, ok // "" needs a pointer that is not nil: nil means that there is no bound
}

// prefix is the beginning of a string. So it is not greater than the string. It ends with a whole character, because a bound
// has the column's type, UTF-8.
func prefix(s string) string {
	if len(s) <= boundBytes {
		return s
	}
	end := boundBytes
	for end > boundBytes-utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}

// upperBound is a short string that is not smaller than s. If it has to cut s, it replaces the last character by the next
// greater one: UTF-8 sorts as its characters do. It skips the greatest character, and bytes that are no character. ok is false
// if no character is left.
func upperBound(s string) (_ []byte, ok bool) {
	if len(s) <= boundBytes {
		return append([]byte{}, s...), true
	}
	s = prefix(s)
	for len(s) > 0 {
		last, size := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-size]
		if last == utf8.RuneError && size == 1 {
			continue // this byte is no character
		}
		if next := last + 1; utf8.ValidRune(next) {
			return utf8.AppendRune([]byte(s), next), true
		}
		if last != utf8.MaxRune {
			return utf8.AppendRune([]byte(s), surrogatesEnd), true
		}
	}
	return nil, false
}

// surrogatesEnd is the character after U+D7FF. Between the two are the surrogates, the halves of UTF-16 characters, which UTF-8
// does not have.
const surrogatesEnd = 0xE000
