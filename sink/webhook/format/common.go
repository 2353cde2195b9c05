package format

import (
	"net/url"
	"strings"
)

// common is the usual answer to some questions about a receiver. A format embeds it, and replaces the answers that differ.
type common struct{ Options }

// Credential is the header that HTTP has for it.
func (common) Credential() string { return "Authorization" }

// Address is the address as the user gave it.
func (common) Address(u *url.URL) *url.URL { return u }

// Headers are none.
func (common) Headers(Batch) []Header { return nil }

// below is the address of a receiver's endpoint. If the user's path ends in end, it is complete. Otherwise it is the base in front
// of the endpoint's path.
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

// withQuery adds a parameter to the query, unless the user gave it. It leaves the rest of the query as it is.
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
