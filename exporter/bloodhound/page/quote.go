package page

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// longestQuote bounds what an error quotes of a value, in bytes.
const longestQuote = 60

// FormatTime writes an instant as servers do, and as they read it: in UTC, with at most six digits. An offset's "+" would be
// lost on the way.
func FormatTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.999999Z") }

// Short makes a foreign text fit for a log or a terminal: without control characters and line breaks, and of about limit
// bytes at most.
func Short(text string, limit int) string { return clip(oneLine(text), limit) }

// oneLine takes out control characters and line breaks.
func oneLine(text string) string {
	return strings.Join(strings.FieldsFunc(strings.ToValidUTF8(text, "\uFFFD"), func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r)
	}), " ")
}

// clip shortens a text to about limit bytes.
func clip(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit] + "..."
}
