package bloodhound

import (
	"bytes"
	"encoding/json"
	"html"
	"net/http"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds, in bytes, of what is taken over from a server's reply: enough for everything that BloodHound says.
const (
	longestMessage   = 400
	longestRequestID = 64
)

// A complaint is what could be made of the body of a failed request, in the server's own words: it may be long, and
// say anything.
type complaint struct {
	message   string
	requestID string
	ours      bool // BloodHound's own JSON, and not some proxy's page
}

// htmlTitle finds the only part of a proxy's error page that is worth quoting.
var htmlTitle = regexp.MustCompile(`(?is)<title[^>]*>(.*?)</title>`)

// readComplaint understands BloodHound's error JSON, plain text and HTML. Only the first JSON value counts: for an
// unknown authorization scheme the server writes a second one behind it.
func readComplaint(body []byte) complaint {
	body = bytes.TrimSpace(body)
	if len(body) == 0 {
		return complaint{}
	}
	if body[0] == '{' {
		var reply struct {
			RequestID string `json:"request_id"`
			Errors    []struct {
				Message string `json:"message"`
			} `json:"errors"`
		}
		err := json.NewDecoder(bytes.NewReader(body)).Decode(&reply)
		if err == nil && len(reply.Errors) > 0 {
			return complaint{reply.Errors[0].Message, reply.RequestID, true}
		}
	}
	if title := htmlTitle.FindSubmatch(body); title != nil {
		return complaint{message: "an HTML page titled \"" + html.UnescapeString(string(title[1])) + "\""}
	}
	if body[0] == '<' {
		return complaint{message: "an HTML page without a title"}
	}
	return complaint{message: string(body)}
}

// quote makes a foreign text fit for an error: without the secrets, on one line, bounded. The order matters: half of a
// secret, or one with other white space in it, would no longer be found.
func quote(text string, limit int, secrets []string) string {
	for _, s := range secrets {
		if s != "" {
			text = strings.ReplaceAll(text, s, "[redacted]")
		}
	}
	return clip(oneLine(text), limit)
}

// secretsOf is what a request carries in confidence. BloodHound never says it back, but a debugging proxy may.
func secretsOf(r *http.Request) []string {
	secrets := []string{r.Header.Get("Signature")}
	if scheme, credential, _ := strings.Cut(r.Header.Get("Authorization"), " "); scheme == bearerScheme {
		secrets = append(secrets, credential)
	}
	return secrets
}

// oneLine takes out control characters and line breaks: the text may end up in a log or on a terminal.
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
