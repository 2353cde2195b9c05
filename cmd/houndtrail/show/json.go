package show

import (
	"encoding/json"
	"io"
)

// JSON prints a value as one line. It escapes nothing for HTML.
func JSON(w io.Writer, value any) error { return encoder(w).Encode(value) }

// Pretty prints a value as JSON for people.
func Pretty(w io.Writer, value any) error {
	e := encoder(w)
	e.SetIndent("", "  ")
	return e.Encode(value)
}

func encoder(w io.Writer) *json.Encoder {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e
}
