package page

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// longest bounds a text that others wrote, in characters.
const longest = 2000

// plain returns a text that others wrote, in one line. It cuts a very long one.
func plain(s string) string {
	n := 0
	for i := range s {
		if n++; n > longest {
			return strings.ReplaceAll(visible(s[:i]), "\n", `\n`) + "…"
		}
	}
	return strings.ReplaceAll(visible(s), "\n", `\n`)
}

// visible writes the number of each sign that a reader cannot see, or that turns the direction of the text. It keeps lines.
func visible(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for i, r := range s {
		_, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r == '\n' || unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
	}
	return b.String()
}

// comma writes a number in groups of three digits.
func comma(n int64) string {
	s := strconv.FormatInt(n, 10)
	first := 0
	if n < 0 {
		first = 1
	}
	for i := len(s) - 3; i > first; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func plural64(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return comma(n) + " " + what + "s"
}

func plural(n int, what string) string { return plural64(int64(n), what) }

func isAre(n int) string {
	if n == 1 {
		return "1 is"
	}
	return comma(int64(n)) + " are"
}

// groups writes four digits at a time, for two people who read them to each other.
func groups(hex string) string {
	var b strings.Builder
	for i, r := range hex {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return b.String()
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

func dateOf(t time.Time) string { return t.UTC().Format(time.DateOnly) }

func days31() (all []int) {
	for n := 1; n <= 31; n++ {
		all = append(all, n)
	}
	return all
}

// pageRules are the head and the foot of each printed page. The title comes from a journal. So only signs stay that can end neither
// the string nor the style.
func pageRules(title string, made time.Time) string {
	safe := strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune(" .,:_-", r)) {
			return r
		}
		return '?'
	}, title)
	const most = 70
	if len(safe) > most {
		safe = safe[:most]
	}
	return fmt.Sprintf(`
@page{size:A4;margin:18mm 15mm 17mm;font:8pt system-ui,"Helvetica Neue",Arial,sans-serif;color:#4e5760;`+
		`@top-left{content:"%s"}@bottom-left{content:"Made %s"}@bottom-right{content:"Page " counter(page) " of " counter(pages)}}
`, safe, stamp(made))
}
