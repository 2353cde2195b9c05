package parquet

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestBounds(t *testing.T) {
	const invalid = "\xff"
	a := func(n int) string { return strings.Repeat("a", n) }
	for _, test := range []struct{ value, low, high string }{
		{"", "", ""},
		{"é", "é", "é"},
		{a(64), a(64), a(64)},
		{a(65), a(64), a(63) + "b"},
		{strings.Repeat("é", 33), strings.Repeat("é", 32), strings.Repeat("é", 31) + "ê"},
		{a(63) + "éa", a(63), a(62) + "b"}, // the border is inside a character
		{a(61) + "🐶a", a(61), a(60) + "b"},
		{a(63) + "\x7fa", a(63) + "\x7f", a(63) + "\u0080"},
		{a(61) + "\ud7ffa", a(61) + "\ud7ff", a(61) + "\ue000"},
		{a(60) + "\U0010ffffa", a(60) + "\U0010ffff", a(59) + "b"},
		{a(63) + invalid + "a", a(63) + invalid, a(62) + "b"},
		{a(60) + strings.Repeat(invalid, 10), a(60) + strings.Repeat(invalid, 4), a(59) + "b"},
	} {
		b := bounds{&test.value, &test.value}
		low, high, ok := b.cut()
		if !ok || low == nil || high == nil || string(low) != test.low || string(high) != test.high {
			t.Errorf("%q: from %q to %q, %t; want from %q to %q", test.value, low, high, ok, test.low, test.high)
		}
	}
	for _, none := range []string{strings.Repeat(invalid, 65), strings.Repeat("\U0010ffff", 17), strings.Repeat("\x80", 70)} {
		b := bounds{&none, &none}
		if _, high, ok := b.cut(); ok {
			t.Errorf("%q is at most %q", none, high)
		}
	}
	if low, high, ok := new(bounds).cut(); low != nil || high != nil || !ok {
		t.Errorf("only NULLs: from %q to %q, %t", low, high, ok)
	}
}

// TestBoundsHold: every string lies between the bounds, whatever its bytes. Readers rely on that.
func TestBoundsHold(t *testing.T) {
	long := func(unit *rapid.Generator[string]) *rapid.Generator[string] {
		return rapid.Custom(func(t *rapid.T) string {
			return strings.Join(rapid.SliceOfN(unit, 0, 70).Draw(t, "units"), "")
		})
	}
	characters := long(rapid.SampledFrom([]string{"a", "\x7f", "é", "\ud7ff", "\uffff", "\U0010ffff"}))
	anything := long(rapid.SampledFrom([]string{"a", "é", "\x80", "\xc3", "\xed", "\xf4", "\xff", "\U0010ffff"}))
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.Bool().Draw(t, "text")
		values := rapid.SliceOfN(anything, 1, 5).Draw(t, "values")
		if text {
			values = rapid.SliceOfN(characters, 1, 5).Draw(t, "values")
		}
		var all, first, second bounds
		for i := range values {
			all.add(&values[i])
			if i%2 == 0 {
				first.add(&values[i])
			} else {
				second.add(&values[i])
			}
		}
		if first.merge(second); *first.low != *all.low || *first.high != *all.high {
			t.Fatalf("bounds of two halves are not those of all")
		}
		low, high, ok := all.cut()
		if len(low) > boundBytes || len(high) > boundBytes+utf8.UTFMax {
			t.Fatalf("bounds of %d and %d bytes", len(low), len(high))
		}
		if text && (!utf8.Valid(low) || !utf8.Valid(high)) {
			t.Fatalf("bounds that are no UTF-8: %q, %q", low, high)
		}
		for _, v := range values {
			if bytes.Compare(low, []byte(v)) > 0 || (ok && bytes.Compare([]byte(v), high) > 0) {
				t.Fatalf("%q does not lie between %q and %q", v, low, high)
			}
		}
	})
}
