package show

import (
	"strings"
	"unicode/utf8"
)

// Wrap breaks the lines of a text so that they fit a terminal. A paragraph with a line that begins with white space, such as an
// example, stays as it is.
func Wrap(text string) string {
	paragraphs := strings.Split(text, "\n\n")
	for i, paragraph := range paragraphs {
		if !strings.HasPrefix(paragraph, " ") && !strings.Contains(paragraph, "\n ") && !strings.Contains(paragraph, "\t") {
			paragraphs[i] = wrapped(strings.Fields(paragraph), Terminal)
		}
	}
	return strings.Join(paragraphs, "\n\n")
}

// wrapped are words in lines of at most so many characters. A longer word has a line of its own.
func wrapped(words []string, most int) string {
	var b strings.Builder
	used := 0
	for _, word := range words {
		width := utf8.RuneCountInString(word)
		switch {
		case used == 0:
		case used+1+width > most:
			b.WriteByte('\n')
			used = 0
		default:
			b.WriteByte(' ')
			used++
		}
		b.WriteString(word)
		used += width
	}
	return b.String()
}
