package page

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// space is the white space that JSON allows around a value.
const space = " \t\r\n"

// endOfLogs are the last bytes of a page.
//
//nolint:gochecknoglobals // a constant
var endOfLogs = []byte("]}}")

// IsObject tells whether the body begins as a JSON object does.
func IsObject(body []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(body, space), []byte("{"))
}

// IsCut tells whether a JSON object breaks off. An object that ends in the last bytes of a page is whole. For any other object
// IsCut looks more closely: a body that was cut directly after a record, or after an object in its fields, ends in a brace too.
func IsCut(body []byte) bool {
	if bytes.HasSuffix(bytes.TrimRight(body, space), endOfLogs) {
		return false
	}
	var whole json.RawMessage
	return errors.Is(json.NewDecoder(bytes.NewReader(body)).Decode(&whole), io.ErrUnexpectedEOF)
}
