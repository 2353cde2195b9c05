package webhook

import (
	"bytes"
	"html"
	"mime"
	"net/http"
	"regexp"
	"strings"
	"unicode"
)

// maxShown is how much of an answer is shown, in characters.
const maxShown = 200

// firstLine is what an error or the log may show of an answer. Of a web page that is nothing, since it says no more than the
// status, and of a record that the receiver repeats its beginning.
func firstLine(answer []byte, redact *strings.Replacer) string {
	text, _, _ := strings.Cut(strings.TrimSpace(string(answer)), "\n")
	if strings.HasPrefix(text, "<") {
		return ""
	}
	if before, _, repeats := strings.Cut(text, `{"event_id":`); repeats {
		text = before + `{"event_id":...`
	}
	return show(text, redact)
}

// show is a foreign text that is fit for an error and the log: printable, cut short, without our secrets.
func show(text string, redact *strings.Replacer) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, text)
	shown := []rune(strings.TrimSpace(redact.Replace(text)))
	if len(shown) > maxShown {
		return string(shown[:maxShown]) + "..."
	}
	return string(shown)
}

// pageStart is how far into a body the first element of a page is looked for, in bytes.
const pageStart = 1 << 10

// isPage tells whether an answer is a web page, by its type or by what it is.
func isPage(h http.Header, body []byte) bool {
	kind, _, _ := mime.ParseMediaType(h.Get("Content-Type")) // comes along with an error about the parameters
	if kind == "text/html" || kind == "application/xhtml+xml" {
		return true
	}
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")))
	if !bytes.HasPrefix(body, []byte("<")) {
		return false
	}
	start := bytes.ToLower(body[:min(len(body), pageStart)])
	return bytes.Contains(start, []byte("<!doctype html")) || bytes.Contains(start, []byte("<html"))
}

var pageTitle = regexp.MustCompile(`(?is)<title[^>]*>(.*?)</title>`)

// title is the only part of a page that is worth quoting; "" if it has none.
func title(body []byte, redact *strings.Replacer) string {
	found := pageTitle.FindSubmatch(body)
	if found == nil {
		return ""
	}
	return show(html.UnescapeString(string(found[1])), redact)
}
