package schema

import (
	"io"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// piece is how many bytes of a record out writes at a time.
const piece = 32 << 10

// An out takes the bytes of an event. If it has no w, all bytes stay in buf. If it has one, buf has about a piece of them.
type out struct {
	buf     []byte
	w       io.Writer
	written int
	err     error
}

// flush gives the bytes to w.
func (o *out) flush() {
	if o.w == nil || o.err != nil {
		return
	}
	var n int
	n, o.err = o.w.Write(o.buf)
	o.written += n
	o.buf = o.buf[:0]
}

// key appends the key of the next member. If there is an earlier member, key appends a comma first.
func (o *out) key(name string) {
	if n := len(o.buf); n == 0 || o.buf[n-1] != '{' {
		o.buf = append(o.buf, ',')
	}
	o.buf = append(o.buf, '"')
	o.buf = append(o.buf, name...)
	o.buf = append(o.buf, '"', ':')
}

// open begins a member that is an object. It returns the place that shut needs.
func (o *out) open(name string) (at int) {
	at = len(o.buf)
	o.key(name)
	o.buf = append(o.buf, '{')
	return at
}

// shut ends the object. If it has no members, the event does not have it.
func (o *out) shut(at int) {
	if o.buf[len(o.buf)-1] == '{' {
		o.buf = o.buf[:at]
		return
	}
	o.buf = append(o.buf, '}')
}

// json appends a member whose value is JSON.
func (o *out) json(name, value string) {
	o.key(name)
	o.buf = append(o.buf, value...)
}

// text appends a member that is a text, unless the text is empty.
func (o *out) text(name, value string) {
	if value != "" {
		o.key(name)
		o.quote(value)
	}
}

func (o *out) number(name string, value int64) {
	o.key(name)
	o.buf = strconv.AppendInt(o.buf, value, 10)
}

func (o *out) address(name string, value netip.Addr) {
	if value.IsValid() {
		o.key(name)
		o.quoteAddress(value)
	}
}

func (o *out) quoteAddress(value netip.Addr) {
	o.buf = append(o.buf, '"')
	o.buf = value.AppendTo(o.buf)
	o.buf = append(o.buf, '"')
}

// instant appends a member that is a time in UTC, to the microsecond.
func (o *out) instant(name string, at time.Time) {
	o.key(name)
	o.buf = append(o.buf, '"')
	o.buf = at.UTC().AppendFormat(o.buf, "2006-01-02T15:04:05.999999Z")
	o.buf = append(o.buf, '"')
}

const hex = "0123456789abcdef"

// quote appends a JSON string. Like encoding/json, it writes U+FFFD instead of bytes that are no UTF-8. It escapes the two line
// breaks of Unicode, since some readers of lines would cut the line there.
func (o *out) quote(text string) {
	o.buf = append(o.buf, '"')
	start := 0
	for i := 0; i < len(text); {
		c := text[i]
		if c < utf8.RuneSelf {
			if c < ' ' || c == '"' || c == '\\' {
				o.buf = appendEscaped(append(o.buf, text[start:i]...), c)
				start = i + 1
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		if r == utf8.RuneError && size == 1 || r == '\u2028' || r == '\u2029' {
			o.buf = append(o.buf, text[start:i]...)
			o.buf = append(o.buf, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
			start = i + size
		}
		i += size
	}
	o.buf = append(append(o.buf, text[start:]...), '"')
}

// appendEscaped appends an ASCII character that a JSON string must escape.
func appendEscaped(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	default:
		return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
	}
}

// served appends JSON as the server sent it, on one line. JSON has line breaks only between tokens, and a blank means the same
// there.
func (o *out) served(json string) {
	for json != "" {
		part := json[:min(piece, len(json))]
		json = json[len(part):]
		start := len(o.buf)
		o.buf = append(o.buf, part...)
		if strings.IndexByte(part, '\n') >= 0 || strings.IndexByte(part, '\r') >= 0 {
			for i, c := range o.buf[start:] {
				if c == '\n' || c == '\r' {
					o.buf[start+i] = ' '
				}
			}
		}
		if len(o.buf) >= piece {
			o.flush()
		}
	}
}

// servedKey appends the key of the next member as the server sent it.
func (o *out) servedKey(key string) {
	o.key("")
	o.buf = o.buf[:len(o.buf)-len(`":`)]
	o.served(key)
	o.buf = append(o.buf, '"', ':')
}

// quoteServed appends JSON as the server sent it, as the content of a JSON string.
func (o *out) quoteServed(json string) {
	o.buf = append(o.buf, '"')
	for json != "" {
		part := json[:min(piece, len(json))]
		json = json[len(part):]
		start := 0
		for i := range len(part) {
			if c := part[i]; c < ' ' || c == '"' || c == '\\' {
				o.buf = appendEscaped(append(o.buf, part[start:i]...), c)
				start = i + 1
			}
		}
		o.buf = append(o.buf, part[start:]...)
		if len(o.buf) >= piece {
			o.flush()
		}
	}
	o.buf = append(o.buf, '"')
}
