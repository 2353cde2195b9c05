package config

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/houndtrail/houndtrail/exporter/record/filter"
	"github.com/houndtrail/houndtrail/sink/webhook/authorize"
	"github.com/houndtrail/houndtrail/sink/webhook/expect"
	"github.com/houndtrail/houndtrail/sink/webhook/format"
	"github.com/houndtrail/houndtrail/sink/webhook/header"
)

// WebhookFormat is the form of webhook batches: the name of a format of package format.
type WebhookFormat string

// Filter says which records go to a destination.
type Filter struct {
	*filter.Conditions // nil for all
}

// UnmarshalText takes the texts of [filter.ParseAll]. The library also calls it for a variable that is not set, with an empty text.
func (f *Filter) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		return nil
	}
	filters, err := filter.ParseAll(string(text))
	if err == nil {
		f.Conditions, err = filter.Compile(filters)
	}
	if err != nil {
		return invalidf("got %s; %s", quote(string(text)), strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return nil
}

// limits are the limits of the format's batches, for the manual.
func (n WebhookFormat) limits() string {
	f, err := format.New(string(n), format.Options{})
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%d records, %s", f.Limits().Records, ByteSize(f.Limits().Bytes))
}

// Expect has the conditions under which a receiver's answer makes a batch count as delivered.
type Expect struct {
	expect.Expectation
}

// UnmarshalText takes the texts of [expect.Parse]. The library also calls it for a variable that is not set, with an empty
// text.
func (e *Expect) UnmarshalText(text []byte) (err error) {
	if len(text) == 0 {
		return nil
	}
	if e.Expectation, err = expect.Parse(string(text)); err != nil {
		return invalidf("got %s; %s", quote(string(text)), err)
	}
	return nil
}

// Headers are extra HTTP headers. Their values are secret, since API keys often travel in one.
type Headers struct {
	Secret
}

// Value has the headers, or none if none are set. Like any secret they may come from a file, which Value reads anew each time.
// Its errors give the number of an entry and never show it.
func (h Headers) Value() (http.Header, error) {
	text, err := h.text()
	if err != nil || text == "" {
		return nil, err
	}
	separator := ","
	if strings.Contains(text, "\n") {
		separator = "\n"
	}
	headers := http.Header{}
	for i, entry := range strings.Split(text, separator) {
		entry = strings.TrimSpace(entry)
		name, value, found := strings.Cut(entry, ":")
		value = strings.TrimSpace(value)
		if !found || value == "" {
			return nil, fmt.Errorf("entry %d in %s is not a header; want Name: value, separated by commas, or one a line "+
				"if a value has a comma (not shown, since it may be secret)", i+1, h.place())
		}
		if err := header.Check(name, value); err != nil {
			return nil, fmt.Errorf("entry %d in %s %w", i+1, h.place(), err)
		}
		headers.Add(name, value)
	}
	return headers, nil
}

func (h Headers) check() error {
	_, err := h.Value()
	return err
}

// SigningSecrets are the secrets of Standard Webhooks.
type SigningSecrets struct {
	Secret
}

func (s SigningSecrets) check() error {
	text, err := s.Value()
	if err != nil {
		return err
	}
	if _, err := authorize.ParseSigningSecrets(text); err != nil {
		return invalidf("%s %s", s.place(), err)
	}
	return nil
}

// Identity has the texts of the files for TLS. It reads them anew each time.
func (w Webhook) Identity() (i authorize.Identity, err error) {
	for _, file := range []struct {
		path string
		text *string
	}{{string(w.ClientCert), &i.Certificate}, {string(w.ClientKey), &i.Key}, {string(w.CA), &i.Authorities}} {
		if *file.text, err = pemText(file.path); err != nil {
			return authorize.Identity{}, err
		}
	}
	return i, nil
}

// webhook checks settings that need each other.
func (l *loader) webhook() {
	pair := []string{"WEBHOOK_CLIENT_CERT_FILE", "WEBHOOK_CLIENT_KEY_FILE"}
	oauth := []string{"WEBHOOK_OAUTH_TOKEN_URL", "WEBHOOK_OAUTH_CLIENT_ID", "WEBHOOK_OAUTH_CLIENT_SECRET"}
	for _, together := range [][]string{pair, oauth} {
		if !l.filled(together...) {
			continue
		}
		for i, name := range together {
			if !l.given(name) {
				l.report(name, "not set, but needed beside %s%s", Prefix, l.firstFilled(together, i))
			}
		}
	}
	if l.config.Webhook.Source == SourceArchive && !l.given("ARCHIVE_URL") {
		l.report("WEBHOOK_SOURCE", "set to %s, but there is no archive to read from: set %sARCHIVE_URL as well, or %sWEBHOOK_SOURCE=%s",
			SourceArchive, Prefix, Prefix, SourceAPI)
	}
	if l.given("WEBHOOK_OAUTH_SCOPE") && !l.given(oauth...) {
		l.report("WEBHOOK_OAUTH_SCOPE", "set, but only %sWEBHOOK_OAUTH_TOKEN_URL asks for a token; set that as well", Prefix)
	}
	if l.filled("WEBHOOK_OAUTH_TOKEN_URL") && l.filled("WEBHOOK_AUTHORIZATION") {
		l.report("WEBHOOK_OAUTH_TOKEN_URL", "set beside %sWEBHOOK_AUTHORIZATION, and both make the same header; keep one of the two", Prefix)
	}
}

// otherFormat tells that a setting belongs to another format than the one in use; "" if it does not.
func (l *loader) otherFormat(f field) string {
	if strings.HasPrefix(f.name, "WEBHOOK_HEC_") && l.config.Webhook.Format != format.SplunkHEC {
		return Prefix + "WEBHOOK_FORMAT is not " + format.SplunkHEC
	}
	return ""
}

// firstFilled is the first of the names that has a value, apart from the one at without.
func (l *loader) firstFilled(names []string, without int) string {
	for i, name := range names {
		if i != without && l.filled(name) {
			return name
		}
	}
	return names[without]
}
