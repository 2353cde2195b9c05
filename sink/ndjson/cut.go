package ndjson

import "strconv"

// CutFields returns an object with the beginning of the text of fields, for a receiver that takes no longer value. The object has
// most bytes or fewer, and its other members tell about the whole, as in [Shorten]:
//
//	{"truncated":"<the first part>","fields_truncated":true,"fields_bytes":<of the text>,"fields_sha256":"<of the text>"}
func CutFields(fields string, most int) string {
	return `{"truncated":` + quoteBeginning(fields, max(0, most-about)) + `,"fields_truncated":true,"fields_bytes":` +
		strconv.Itoa(len(fields)) + `,"fields_sha256":"` + sumOf(fields) + `"}`
}

// CutText returns the beginning of a text as a text of JSON of most bytes or fewer, with three dots at its end.
func CutText(text string, most int) string {
	const dots, quotes = "...", `""`
	cut := quoteBeginning(text, max(0, most-len(dots+quotes)))
	return cut[:len(cut)-1] + dots + `"`
}
