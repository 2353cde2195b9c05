// Package quote prepares texts of servers for an error, the log and a terminal: on one line, short, and without our secrets. It
// is pure, and a leaf.
package quote

import (
	"cmp"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Redacted stands for a secret wherever a text would show one.
const Redacted = "[redacted]"

// minSecret is the shortest text that counts as a secret. A shorter text protects nothing. If Houndtrail hid such texts, every
// message would be unreadable.
const minSecret = 4

// Redactor hides secrets. It finds them also if they are escaped in a URL, or quoted by JSON or Go. It is safe for concurrent
// use.
func Redactor(secrets ...string) *strings.Replacer {
	var forms []string
	for _, secret := range secrets {
		if len(secret) < minSecret {
			continue
		}
		forms = append(forms, secret, url.QueryEscape(secret), url.PathEscape(secret), inner(strconv.Quote(secret)))
		if quoted, err := json.Marshal(secret); err == nil {
			forms = append(forms, inner(string(quoted)))
		}
	}
	// A replacer takes the first form that fits, and one secret may be a part of another: so the longest form comes first.
	slices.SortFunc(forms, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	pairs := make([]string, 0, 2*len(forms))
	for _, form := range forms {
		pairs = append(pairs, form, Redacted)
	}
	return strings.NewReplacer(pairs...)
}

func inner(quoted string) string { return quoted[1 : len(quoted)-1] }

// Foreign returns a text of a server on one line, printable, without the secrets that redact hides, and with so many characters
// at most.
func Foreign(text string, redact *strings.Replacer, most int) string {
	text = redact.Replace(text) // before the next line, since that changes white space, and a secret may have white space in it
	return Clip(redact.Replace(OneLine(text)), most)
}

// Clip cuts a text after so many characters.
func Clip(text string, most int) string {
	shown := 0
	for i := range text {
		if shown == most {
			return text[:i] + "..."
		}
		shown++
	}
	return text
}

// OneLine makes a single blank of all white space, and leaves out characters that cannot be printed. It puts no blank in their
// place: a secret with such characters in it must not get past a redactor.
func OneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r) || r == unicode.ReplacementChar:
			return -1
		}
		return r
	}, text)
	return strings.Join(strings.Fields(text), " ")
}
