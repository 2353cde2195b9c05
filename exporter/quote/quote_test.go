package quote_test

import (
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/houndtrail/houndtrail/exporter/quote"
)

func TestForeign(t *testing.T) {
	t.Parallel()
	redact := quote.Redactor("two  words", "SECRET", "SECRETS", "a/b c", "ab")
	for text, want := range map[string]string{
		"":       "",
		" \r\n ": "",
		"plain":  "plain",
		"  cannot parse\r\n\tline 3:\x00 no time\x1b[31m  ": "cannot parse line 3: no time[31m",
		"bad \xff\xfe byte, bad \uFFFD too":                 "bad byte, bad too",
		"line\u2028separator\u00a0blank":                    "line separator blank",
		"zero\u200bwidth\u202e":                             "zerowidth",
		"it is SECRET, or SECRETS":                          "it is [redacted], or [redacted]",
		"S\x00E\x00C\x00R\x00E\x00T\x00":                    "[redacted]",
		"two  words":                                        "[redacted]",
		"a%2Fb+c a%2Fb%20c":                                 "[redacted] [redacted]",
		"ab is too short":                                   "ab is too short",
		strings.Repeat("é", 60):                             strings.Repeat("é", 60),
		strings.Repeat("é", 61):                             strings.Repeat("é", 60) + "...",
		strings.Repeat("x", 57) + "SECRET":                  strings.Repeat("x", 57) + "[re...",
	} {
		if got := quote.Foreign(text, redact, 60); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

func TestClip(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "", "abc": "abc", "abcd": "abc...", "abé": "abé", "éééé": "ééé...", "\x80\x80\x80\x80": "\x80\x80\x80...",
	} {
		if got := quote.Clip(text, 3); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

// TestForeignIsSafe: no notation of a secret gets through, and no text that could do something to a terminal.
func TestForeignIsSafe(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		secret := rapid.StringMatching(`[A-Za-z0-9+/="\\<>&é ]{2}[A-Z]{4}[a-z+/&"]{2}`).Draw(t, "secret")
		secret = strings.TrimSpace(secret)
		printed := strconv.Quote(secret)
		quoted, err := json.Marshal(secret)
		if err != nil {
			t.Fatal(err)
		}
		form := rapid.SampledFrom([]string{
			secret, url.QueryEscape(secret), url.PathEscape(secret), printed[1 : len(printed)-1], string(quoted[1 : len(quoted)-1]),
		}).Draw(t, "form")
		text := rapid.String().Draw(t, "before") + " " + form + " " + rapid.String().Draw(t, "behind")
		most := rapid.IntRange(1, 100).Draw(t, "most")
		got := quote.Foreign(text, quote.Redactor(secret), most)
		if n := utf8.RuneCountInString(got); n > most+3 {
			t.Fatalf("%q has %d characters", got, n)
		}
		if strings.Contains(got, form) {
			t.Fatalf("%q has the secret %q", got, form)
		}
		if strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Fatalf("%q has something that cannot be printed", got)
		}
	})
}
