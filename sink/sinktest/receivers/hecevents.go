package receivers

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"slices"
)

// An Event is an event as HEC took it.
type Event struct {
	Time       string // the number as the client sent it
	Host       string
	Source     string
	Sourcetype string
	Index      string
	Event      json.RawMessage
	Fields     map[string]any // a value is a string, or a list of strings
}

// A bad is the reason why HEC refuses an event. Its number counts from 0 in the post.
type bad struct {
	code     int
	numbered bool
	number   int
}

// parse reads the objects of a post: one behind the other, or in an array (measured). It returns the objects before the first bad
// one.
//
// Measured: at an object with an unknown key, Splunk stops reading, and the objects before it are a success. If there are none, the
// code is 5, without a number.
func (h *HEC) parse(plain []byte) (events []Event, why bad) {
	objects := json.NewDecoder(bytes.NewReader(plain))
	if bytes.HasPrefix(bytes.TrimSpace(plain), []byte("[")) {
		_, _ = objects.Token() // it is there, since the prefix is
	}
	for n := 0; ; n++ {
		var object map[string]json.RawMessage
		before := objects.InputOffset()
		err := objects.Decode(&object)
		if errors.Is(err, io.EOF) || err != nil && plainEnd(plain[before:]) {
			break
		}
		if err != nil || objects.InputOffset()-before > largestEvent {
			return events, bad{codeFormat, true, n}
		}
		event, code := h.judge(object)
		switch {
		case code == codeNoData:
			if n == 0 {
				return nil, bad{code: code}
			}
			return events, bad{}
		case code == codeIndex: // measured by two projects: its number is one too high
			return events, bad{code, true, n + 1}
		case code != 0:
			return events, bad{code, true, n}
		}
		events = append(events, event)
	}
	if len(events) == 0 {
		return nil, bad{code: codeNoData}
	}
	return events, bad{}
}

// plainEnd tells whether the rest of an array is only its end.
func plainEnd(rest []byte) bool { return bytes.Equal(bytes.TrimSpace(rest), []byte("]")) }

// decimal is a time without an exponent. Reported: the code of an exponent is 15.
var decimal = regexp.MustCompile(`^"?-?\d+(\.\d+)?"?$`)

// judge reads one object. The code of a good one is 0. Documented: the seven keys, and the codes of event and fields. Measured: the
// code of a time that is no number.
func (h *HEC) judge(object map[string]json.RawMessage) (Event, int) {
	e := Event{Index: h.options.Indexes[0]}
	for key, value := range object {
		var err error
		switch key {
		case "time":
			if !decimal.Match(value) {
				return e, codeFields
			}
			e.Time = string(bytes.Trim(value, `"`))
		case "host":
			err = json.Unmarshal(value, &e.Host)
		case "source":
			err = json.Unmarshal(value, &e.Source)
		case "sourcetype":
			err = json.Unmarshal(value, &e.Sourcetype)
		case "index":
			err = json.Unmarshal(value, &e.Index)
		case "event":
			e.Event = value
		case "fields":
			if e.Fields, err = indexed(value); err != nil {
				return e, codeFields
			}
		default:
			return e, codeNoData
		}
		if err != nil {
			return e, codeFormat
		}
	}
	switch {
	case e.Event == nil:
		return e, codeNoEvent
	case slices.Contains([]string{`null`, `""`, `{}`}, string(e.Event)):
		return e, codeBlankEvent
	case !slices.Contains(h.options.Indexes, e.Index):
		return e, codeIndex
	case h.options.Refuse != nil:
		return e, h.options.Refuse(e)
	default:
		return e, 0
	}
}

// indexed reads the indexed fields: strings, or lists of strings.
func indexed(value json.RawMessage) (map[string]any, error) {
	var fields map[string]any
	if err := json.Unmarshal(value, &fields); err != nil {
		return nil, err
	}
	for _, v := range fields {
		switch v := v.(type) {
		case string:
		case []any:
			if slices.ContainsFunc(v, func(one any) bool { _, ok := one.(string); return !ok }) {
				return nil, errors.New("a list with a value that is no string")
			}
		default:
			return nil, errors.New("a value that is no string")
		}
	}
	return fields, nil
}
