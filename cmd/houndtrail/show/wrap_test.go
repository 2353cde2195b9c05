package show

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// For any words, the result has all of them in their order, in lines that fit and have no room for the next word.
func TestWrap(t *testing.T) {
	t.Parallel()
	word := rapid.StringMatching(`[a-zé(),.-]{1,30}`)
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(word, 1, 60).Draw(t, "words")
		lines := strings.Split(Wrap(strings.Join(words, rapid.SampledFrom([]string{" ", "\n"}).Draw(t, "between"))), "\n")
		if got := strings.Fields(strings.Join(lines, " ")); strings.Join(got, " ") != strings.Join(words, " ") {
			t.Fatalf("%q became %q", words, got)
		}
		for i, line := range lines {
			if utf8.RuneCountInString(line) > Terminal {
				t.Errorf("%q is too long", line)
			}
			if i == 0 {
				continue
			}
			next, _, _ := strings.Cut(line, " ")
			if utf8.RuneCountInString(lines[i-1]+" "+next) <= Terminal {
				t.Errorf("%q has room for %q", lines[i-1], next)
			}
		}
	})
}

// Paragraphs stay apart, and indented lines stay as they are.
func TestWrapLeavesExamples(t *testing.T) {
	t.Parallel()
	const text = "One\ntwo.\n\n  an   example\n\ttabbed\n\nThree."
	if got, want := Wrap(text), "One two.\n\n  an   example\n\ttabbed\n\nThree."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
