package webhook

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/houndtrail/houndtrail/exporter/quote"
	"github.com/houndtrail/houndtrail/sink/webhook/schema"
)

// plainWord matches a part of a path that errors can show: insert, jsonline, _bulk, v1. Many receivers have their token in the
// path, and a token has capitals, has many digits, or is long.
var plainWord = regexp.MustCompile(`^[a-z._-]{0,20}\d{0,2}$`)

// display returns the URL for people. It hides the query, and all parts of the path that may be a token.
func display(u *url.URL) string {
	parts := strings.Split(u.EscapedPath(), "/")
	for i, part := range parts {
		if !plainWord.MatchString(part) {
			parts[i] = quote.Redacted
		}
	}
	shown := u.Scheme + "://" + u.Host + strings.Join(parts, "/")
	if u.RawQuery != "" {
		shown += "?" + quote.Redacted
	}
	return shown
}

// urlSecrets are the texts that display hides.
func urlSecrets(u *url.URL) []string {
	var secrets []string
	for part := range strings.SplitSeq(u.Path, "/") {
		if !plainWord.MatchString(part) {
			secrets = append(secrets, part)
		}
	}
	for key, values := range u.Query() {
		secrets = append(secrets, values...)
		if values[0] == "" { // ?token instead of ?key=token
			secrets = append(secrets, key)
		}
	}
	return append(secrets, u.RawQuery) // if the query is not well-formed, Query does not have all of its parts
}

// redactor hides every secret of a request.
func (s *Sink) redactor(r *http.Request) *strings.Replacer {
	return quote.Redactor(append(s.proof.Secrets(r), s.secrets...)...)
}

// maxShown is how many characters of an answer Houndtrail shows.
const maxShown = 200

// firstLine is the part of an answer that an error or the log may show. It is empty for a web page, which says no more than the
// status. If the receiver repeats a record, firstLine ends after the beginning of the record.
func firstLine(answer []byte, redact *strings.Replacer) string {
	text, _, _ := strings.Cut(strings.TrimSpace(string(answer)), "\n")
	if strings.HasPrefix(text, "<") {
		return ""
	}
	for _, begin := range schema.Begins() {
		if before, _, repeats := strings.Cut(text, begin); repeats {
			text = before + begin + "..."
		}
	}
	return show(text, redact)
}

// show makes a foreign text fit for an error and for the log.
func show(text string, redact *strings.Replacer) string { return quote.Foreign(text, redact, maxShown) }
