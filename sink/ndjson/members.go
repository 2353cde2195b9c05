package ndjson

import (
	"errors"
	"strings"
)

// A Walk goes through the members of a JSON object, in their order.
type Walk struct {
	rest  string
	begun bool
}

// Members returns the walk through an object. The object must be JSON: the walk checks no more than it has to look at.
func Members(object string) Walk { return Walk{rest: object} }

var errMembers = errors.New("it is no JSON object")

// Next returns the next key, as it is between its quotes, and the text of its value. At the end, the value is empty. Both are views
// into the object.
func (m *Walk) Next() (key, value string, err error) {
	m.rest = strings.TrimLeft(m.rest, blanks)
	switch {
	case strings.HasPrefix(m.rest, "}"):
		return "", "", nil
	case strings.HasPrefix(m.rest, "{") && !m.begun, strings.HasPrefix(m.rest, ",") && m.begun:
	default:
		return "", "", errMembers
	}
	m.begun, m.rest = true, strings.TrimLeft(m.rest[1:], blanks)
	if strings.HasPrefix(m.rest, "}") {
		return "", "", nil
	}
	end := textEnd(m.rest)
	if end < 2 {
		return "", "", errMembers
	}
	key = m.rest[1 : end-1]
	rest, found := strings.CutPrefix(strings.TrimLeft(m.rest[end:], blanks), ":")
	m.rest = strings.TrimLeft(rest, blanks)
	if end = valueEnd(m.rest); !found || end == 0 {
		return "", "", errMembers
	}
	value, m.rest = m.rest[:end], m.rest[end:]
	return key, value, nil
}

// textEnd is the length of the string at the beginning of a text, with its quotes; 0 if there is none.
func textEnd(text string) int {
	if !strings.HasPrefix(text, `"`) {
		return 0
	}
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return 0
}

// valueEnd is the length of the value at the beginning of a text; 0 if it breaks off.
func valueEnd(text string) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			n := textEnd(text[i:])
			if n == 0 || depth == 0 {
				return n
			}
			i += n - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return i
			}
		}
	}
	return 0
}
