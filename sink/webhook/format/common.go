package format

import (
	"net/url"
	"strings"
)

// common has the usual answers to some questions about a receiver. A format embeds it, and replaces the answers that differ.
type common struct{ Options }

// Credential returns the header that HTTP has for the credential.
func (common) Credential() string { return "Authorization" }

// Address returns the address as the user gave it.
func (common) Address(u *url.URL) *url.URL { return u }

// Headers returns none.
func (common) Headers(Batch) []Header { return nil }

// below returns the address of a receiver's endpoint. If the user's path ends in end, it is complete. Otherwise it is the base, and
// below appends the endpoint's path.
func below(u *url.URL, path, end string) *url.URL {
	if strings.HasSuffix(strings.TrimRight(u.Path, "/"), end) {
		return u
	}
	base := *u
	if base.Path == "" {
		base.Path = "/"
	}
	return base.JoinPath(path)
}

// withQuery adds a parameter to the query, unless the user gave it. It does not change the rest of the query.
func withQuery(u *url.URL, name, value string) *url.URL {
	if u.Query().Has(name) {
		return u
	}
	added := *u
	if added.RawQuery != "" {
		added.RawQuery += "&"
	}
	added.RawQuery += name + "=" + value
	return &added
}
