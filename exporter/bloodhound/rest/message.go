package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"regexp"
	"strings"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/page"
	"github.com/houndtrail/houndtrail/exporter/quote"
)

const (
	// longestMessage is how many characters of BloodHound's own error an error quotes at most: enough for all of its messages.
	longestMessage = 400
	// longestForeign is how many characters of any other text an error quotes at most: the first line shows the source of the
	// text.
	longestForeign = 120
)

// A complaint is the message in the body of a failed request, in the server's own words. It may be long, and say anything.
type complaint struct {
	message   string
	requestID string // a UUID or ""
	ours      bool   // BloodHound's own JSON, and not the page of a proxy
	whole     bool   // the error should quote more than its first line
}

// htmlTitle finds the only part of a proxy's error page that is worth quoting.
var htmlTitle = regexp.MustCompile(`(?is)<title[^>]*>(.*?)</title>`)

// readComplaint understands BloodHound's error JSON, plain text and HTML. Only the first JSON value counts: after an unknown
// authorization scheme, the server writes a second value.
func readComplaint(body []byte) complaint {
	if page.IsObject(body) {
		var reply struct {
			RequestID string `json:"request_id"`
			Errors    []struct {
				Message string `json:"message"`
			} `json:"errors"`
		}
		err := json.NewDecoder(bytes.NewReader(body)).Decode(&reply)
		if err == nil && len(reply.Errors) > 0 {
			return complaint{message: reply.Errors[0].Message, requestID: onlyUUID(reply.RequestID), ours: true, whole: true}
		}
	}
	if isPage(body) || bytes.Contains(body, []byte(`"logs"`)) { // a page of records, to which a proxy gave another status
		return describe(body)
	}
	return complaint{message: string(body)}
}

func isPage(body []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(body), []byte("<")) }

// describe describes a reply that may hold audit records. It quotes none of them.
func describe(body []byte) complaint {
	if !isPage(body) {
		return complaint{message: fmt.Sprintf("%d bytes, not shown since they may be audit records", len(body))}
	}
	title := htmlTitle.FindSubmatch(body)
	if title == nil {
		return complaint{message: "an HTML page without a title"}
	}
	return complaint{message: "an HTML page titled \"" + html.UnescapeString(string(title[1])) + "\"", whole: true}
}

var uuidForm = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)

// onlyUUID returns the id if it is a UUID. If not, it returns "". Request ids go into logs, and BloodHound's own are UUIDs.
func onlyUUID(id string) string {
	if uuidForm.MatchString(id) {
		return id
	}
	return ""
}

// requestID reads a header that the API declares as RequestID. Servers send it as Requestid.
func requestID(h http.Header) string { return onlyUUID(h.Get("RequestID")) }

// quote is the message, fit for an error.
func (c complaint) quote(redact *strings.Replacer) string {
	if c.ours {
		return quote.Foreign(c.message, redact, longestMessage)
	}
	text := strings.TrimSpace(redact.Replace(c.message)) // before the cut: the redactor would not find half of a secret
	if !c.whole {
		text, _, _ = strings.Cut(text, "\n")
	}
	return quote.Foreign(text, redact, longestForeign)
}

// secretKey finds the secret of a request's body in its context.
type secretKey struct{}

// confide remembers a secret that the body of the request holds.
func confide(ctx context.Context, secret string) context.Context {
	return context.WithValue(ctx, secretKey{}, secret)
}

// redactorOf returns what hides the secrets of a request. BloodHound never repeats them, but a proxy on the way may.
func redactorOf(r *http.Request) *strings.Replacer {
	inside, _ := r.Context().Value(secretKey{}).(string)
	scheme, credential, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if scheme != bearerScheme {
		credential = "" // this is the id of a token, which is no secret
	}
	return quote.Redactor(inside, r.Header.Get("Signature"), credential)
}
