// Package expect reads the demands on a receiver's answer, and compares answers with them. If an answer does not meet them, its
// batch does not count as delivered. The package is pure.
package expect

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// An Expectation has the demands on an answer. The zero value demands nothing.
type Expectation struct {
	text     string
	statuses []int
	values   []value
}

// A value is a scalar somewhere in the JSON of an answer.
type value struct {
	path []string
	want string
}

const jsonPrefix = "json:."

var errSyntax = errors.New("want statuses such as 204, and values such as json:.text=Success or json:.items.0.status=201, " +
	"separated by commas")

// Parse reads the demands on an answer, separated by commas: statuses of HTTP from 200 to 299, and values in its JSON. The answer
// must have one of the statuses and all of the values. A value is json:.path=text. The path has names, and numbers that count a
// list from 0, with dots between them. The text is the content of a string, without quotes, or a number, true, false or null.
func Parse(text string) (Expectation, error) {
	e := Expectation{text: text}
	for term := range strings.SplitSeq(text, ",") {
		term = strings.TrimSpace(term)
		if rest, ok := strings.CutPrefix(term, jsonPrefix); ok {
			path, want, ok := strings.Cut(rest, "=")
			names := strings.Split(path, ".")
			if !ok || want == "" || slices.Contains(names, "") {
				return Expectation{}, errSyntax
			}
			e.values = append(e.values, value{names, want})
			continue
		}
		status, err := strconv.Atoi(term)
		if err != nil || status < 200 || status > 299 {
			return Expectation{}, errSyntax
		}
		e.statuses = append(e.statuses, status)
	}
	return e, nil
}

// String returns the text that [Parse] read.
func (e Expectation) String() string { return e.text }

// JSON tells whether Houndtrail has to read the answer to its end.
func (e Expectation) JSON() bool { return len(e.values) > 0 }

// Unmet says in words which demand the answer does not meet. It is "" if the answer meets all. It quotes nothing of the answer.
func (e Expectation) Unmet(status int, body []byte) string {
	if len(e.statuses) > 0 && !slices.Contains(e.statuses, status) {
		return "its status is not " + join(e.statuses)
	}
	if len(e.values) == 0 {
		return ""
	}
	var answer any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&answer); err != nil {
		return "it is not JSON with " + e.values[0].String()
	}
	for _, v := range e.values {
		if got, ok := v.in(answer); !ok || got != v.want {
			return "its JSON does not have " + v.String()
		}
	}
	return ""
}

func (v value) String() string { return "." + strings.Join(v.path, ".") + "=" + v.want }

// in returns the text of the scalar at the path.
func (v value) in(answer any) (text string, ok bool) {
	for _, name := range v.path {
		switch at := answer.(type) {
		case map[string]any:
			answer, ok = at[name]
		case []any:
			i, err := strconv.Atoi(name)
			if ok = err == nil && i >= 0 && i < len(at); ok {
				answer = at[i]
			}
		default:
			ok = false
		}
		if !ok {
			return "", false
		}
	}
	switch at := answer.(type) {
	case string:
		return at, true
	case json.Number:
		return at.String(), true
	case bool, nil:
		return strings.Replace(fmt.Sprint(at), "<nil>", "null", 1), true
	default:
		return "", false
	}
}

func join(statuses []int) string {
	words := make([]string, len(statuses))
	for i, s := range statuses {
		words[i] = strconv.Itoa(s)
	}
	return strings.Join(words, " or ")
}
