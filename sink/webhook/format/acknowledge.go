package format

import (
	"bytes"
	"fmt"
	"html"
	"mime"
	"regexp"

	"github.com/houndtrail/houndtrail/config/setting"
	"github.com/houndtrail/houndtrail/sink/webhook/expect"
)

// acknowledges tells whether a 2xx acknowledges its batch: it must not be a web page, and it must meet the user's expectation.
func (a Answer) acknowledges(expected expect.Expectation) Verdict {
	unmet := expected.Unmet(a.Status, a.Body)
	empty := a.Status == 204 || a.Status == 205
	switch {
	case unmet == "" && (empty || expected.JSON() || !a.isPage()):
		return Verdict{Class: OK}
	case a.isPage():
		titled := ""
		if t := a.title(); t != "" {
			titled = fmt.Sprintf(" titled %q", t)
		}
		return Verdict{
			Class: Unexpected, Why: "which is an HTML page" + titled + " and acknowledges nothing",
			Advice: "something in front of the receiver seems to answer in its place, such as a single sign-on or a load balancer: check " +
				setting.WebhookURL + " and " + setting.WebhookAuthorization + "; a receiver of your own should answer 204, or not as HTML",
		}
	default:
		return Verdict{
			Class: Unexpected, Why: "but " + unmet,
			Advice: setting.WebhookExpect + " demands that, so the batch does not count as delivered: find out at the receiver why, or " +
				"correct the setting",
		}
	}
}

// pageStart is how many bytes of a body isPage searches for the first element of a page.
const pageStart = 1 << 10

// isPage tells whether an answer is a web page, by its type or by its body.
func (a Answer) isPage() bool {
	kind, _, _ := mime.ParseMediaType(a.ContentType) // if the parameters are wrong, it returns the kind together with an error
	if kind == "text/html" || kind == "application/xhtml+xml" {
		return true
	}
	body := bytes.TrimSpace(bytes.TrimPrefix(a.Body, []byte("\xef\xbb\xbf")))
	if !bytes.HasPrefix(body, []byte("<")) {
		return false
	}
	start := bytes.ToLower(body[:min(len(body), pageStart)])
	return bytes.Contains(start, []byte("<!doctype html")) || bytes.Contains(start, []byte("<html"))
}

var pageTitle = regexp.MustCompile(`(?is)<title[^>]*>(.*?)</title>`)

// title is the only part of a page that is worth quoting. It is "" if the page has none.
func (a Answer) title() string {
	found := pageTitle.FindSubmatch(a.Body)
	if found == nil {
		return ""
	}
	return a.Quote(html.UnescapeString(string(found[1])))
}
