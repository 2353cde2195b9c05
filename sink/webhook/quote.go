package webhook

import (
	"strings"

	"github.com/houndtrail/houndtrail/exporter/quote"
)

// maxShown is how many characters of an answer are shown.
const maxShown = 200

// firstLine is the part of an answer that an error or the log may show. It shows nothing of a web page, which says no more than
// the status. If the receiver repeats a record, it shows only the beginning of the record.
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
