package ndjson

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/houndtrail/houndtrail/exporter/record"
)

// mostShort is the length, in bytes, to which Shorten cuts every long member but fields, if the record is still too long without
// its fields.
const mostShort = 512

// mostKept is how many bytes of the fields Shorten keeps at most: it holds them a few times.
const mostKept = 1 << 20

// Shorten returns a copy of a record whose text has most bytes or fewer, for a receiver that takes no longer ones. Its fields are an
// object with the beginning of their text, and three members behind them tell about the whole:
//
//	"fields":{"truncated":"<the first part>"},"fields_truncated":true,"fields_bytes":<of the text>,"fields_sha256":"<of the text>"
//
// If that is not enough, other long values become texts of their first bytes, and members that do not fit then are left out. The
// same record always gives the same copy. The record's id and time stay as they are.
func Shorten(r *record.Record, most int) *record.Record {
	short := *r
	cut := take(r.Raw, len(r.Raw), math.MaxInt)
	if cut.size > most {
		cut = take(r.Raw, mostShort, most)
	}
	short.Raw, short.Fields = cut.text(max(0, most-cut.size))
	if cut.fields != "" {
		short.Absent &^= record.Of("fields")
	}
	return &short
}

// A shortened is a record's text in parts.
type shortened struct {
	parts  []string // the members, all but fields
	fields string   // the text of the fields
	size   int      // of the text without any text of the fields
}

// about is the size of the members that Shorten adds about the fields, at most.
const about = len(`,"fields":{"truncated":""},"fields_truncated":true,"fields_bytes":,"fields_sha256":""`) + 20 + 2*sha256.Size

// take takes the members of a text. It cuts values that are longer than longest, and leaves out members that do not fit into most
// bytes.
func take(raw string, longest, most int) *shortened {
	s := &shortened{size: len("{}") + about}
	for m := Members(raw); ; {
		key, value, err := m.Next()
		if err != nil || key == "" && value == "" {
			return s // an error is impossible: the text is JSON, since the client has read it
		}
		if key == "fields" && value != "null" {
			s.fields = value
			continue
		}
		if len(value) > longest {
			value = quoteBeginning(value, longest)
		}
		part := `"` + key + `":` + value
		if s.size+len(part) < most {
			s.parts, s.size = append(s.parts, part), s.size+len(part)+1
		}
	}
}

// text is the record's text, and that of its fields, with room for so many bytes of the fields.
func (s *shortened) text(room int) (raw, fields string) {
	var b strings.Builder
	b.WriteByte('{')
	b.WriteString(strings.Join(s.parts, ","))
	if s.fields == "" {
		return b.String() + "}", ""
	}
	fields = `{"truncated":` + quoteBeginning(s.fields, min(room, mostKept)) + `}`
	if len(s.parts) > 0 {
		b.WriteByte(',')
	}
	b.WriteString(`"fields":` + fields + `,"fields_truncated":true,"fields_bytes":` + strconv.Itoa(len(s.fields)) +
		`,"fields_sha256":"` + sumOf(s.fields) + `"}`)
	return b.String(), fields
}

// sumOf is the SHA-256 of a text, which it does not copy as a whole.
func sumOf(text string) string {
	sum, buffer := sha256.New(), make([]byte, piece)
	for len(text) > 0 {
		n := copy(buffer, text)
		sum.Write(buffer[:n])
		text = text[n:]
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// quoteBeginning is the beginning of a text as a text of JSON, which has so many bytes at most between its quotes.
func quoteBeginning(text string, most int) string {
	end := 0
	for size := 0; end < len(text); {
		r, n := utf8.DecodeRuneInString(text[end:])
		if size += quotedSize(r, n); size > most {
			break
		}
		end += n
	}
	quoted, _ := json.Marshal(text[:end]) //nolint:errchkjson // a string always has a JSON form
	return string(quoted)
}

// quotedSize is how many bytes encoding/json writes at most for a character of n bytes.
func quotedSize(r rune, n int) int {
	switch {
	case r == '"' || r == '\\' || r == '\n' || r == '\r' || r == '\t':
		return 2
	case r < ' ' || r == '<' || r == '>' || r == '&' || r == '\u2028' || r == '\u2029' || r == utf8.RuneError && n == 1:
		return 6
	default:
		return n
	}
}
