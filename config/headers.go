package config

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"unicode"
)

// Headers are extra HTTP headers. Their values are secret, since API keys often travel in one.
type Headers struct {
	Secret
}

// headerName is a header's name, by RFC 9110, section 5.6.2.
var headerName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")

// Value is the headers, or none where none are set. Like any secret they may come from a file, which is read anew
// each time. Its errors count the entries and never show them.
func (h Headers) Value() (http.Header, error) {
	text, err := h.text()
	if err != nil || text == "" {
		return nil, err
	}
	separator := ","
	if strings.Contains(text, "\n") {
		separator = "\n"
	}
	header := http.Header{}
	for i, entry := range strings.Split(text, separator) {
		entry = strings.TrimSpace(entry)
		name, value, found := strings.Cut(entry, ":")
		value = strings.TrimSpace(value)
		if !found || value == "" || !headerName.MatchString(name) || strings.ContainsFunc(value, unicode.IsControl) {
			return nil, fmt.Errorf("entry %d in %s is not a header; want Name: value, separated by commas, or one a line "+
				"where a value has a comma (not shown, since it may be secret)", i+1, h.place())
		}
		name = http.CanonicalHeaderKey(name)
		switch name { // each belongs to another variable, or to the client, which would drop or repeat it
		case "Authorization", "Connection", "Content-Encoding", "Content-Length", "Host", "Transfer-Encoding":
			return nil, fmt.Errorf("entry %d in %s sets %s, which is not for this variable; use %sWEBHOOK_AUTHORIZATION for "+
				"Authorization, and leave the others to the client", i+1, h.place(), name, Prefix)
		}
		header.Add(name, value)
	}
	return header, nil
}

func (h Headers) check() error {
	_, err := h.Value()
	return err
}
