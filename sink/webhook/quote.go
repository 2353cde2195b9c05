package webhook

import (
	"strings"

	"github.com/houndtrail/houndtrail/exporter/quote"
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

// show makes a foreign text fit for an error and the log.
func show(text string, redact *strings.Replacer) string { return quote.Foreign(text, redact, maxShown) }
