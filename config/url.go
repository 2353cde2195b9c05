package config

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// HTTPURL is the address of an HTTP server, without a slash at its end; "" if none is set.
type HTTPURL string

// UnmarshalText takes http and https URLs without user, query or fragment. The library also calls it for a variable
// that is not set, with an empty text.
func (u *HTTPURL) UnmarshalText(text []byte) error {
	raw := string(text)
	if raw == "" {
		return nil
	}
	parsed, err := parseHTTP(raw)
	if err != nil || strings.ContainsAny(raw, "?#") {
		return invalidf("got %s; want https://host or https://host/path, without user, query or fragment", publicURL(raw))
	}
	*u = HTTPURL(strings.TrimRight(parsed.String(), "/"))
	return nil
}

// URL is the address, parsed; nil if none is set.
func (u HTTPURL) URL() *url.URL {
	if u == "" {
		return nil
	}
	parsed, _ := url.Parse(string(u)) // no error: UnmarshalText has parsed it already
	return parsed
}

// WebhookURL is the address to which Houndtrail posts batches. Many receivers put a token into its path or query. So it may come from a
// file, and it never prints more than scheme and host.
type WebhookURL struct {
	Secret
}

// UnmarshalText takes http and https URLs without user or fragment.
func (u *WebhookURL) UnmarshalText(text []byte) error {
	if err := checkWebhook(string(text)); err != nil {
		return err
	}
	return u.Secret.UnmarshalText(text)
}

func checkWebhook(raw string) error {
	if _, err := parseHTTP(raw); err != nil || strings.Contains(raw, "#") {
		return invalidf("not an address to post to (not shown, since it may carry a token); want https://host/path, without "+
			"user or fragment; a user and password go into %sWEBHOOK_AUTHORIZATION", Prefix)
	}
	return nil
}

// Value is the whole URL, to post to and never to print; "" if none is set. Its errors name the file and never show its content.
func (u WebhookURL) Value() (string, error) {
	raw, err := u.Secret.Value()
	if err != nil || u.file == "" {
		return raw, err
	}
	if err := checkWebhook(raw); err != nil {
		return "", fmt.Errorf("%s: %w", u.place(), err)
	}
	return raw, nil
}

func (u WebhookURL) check() error {
	_, err := u.Value()
	return err
}

// String is the scheme and the host.
func (u WebhookURL) String() string {
	raw, err := u.Value()
	if err != nil {
		return redacted
	}
	parsed, err := url.Parse(raw)
	if err != nil || raw == "" {
		return ""
	}
	origin := parsed.Scheme + "://" + parsed.Host
	if strings.TrimRight(raw, "/") != origin {
		origin += "/" + redacted
	}
	return origin
}

// MarshalText is String. JSON and zap use it as well.
func (u WebhookURL) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// Format prints String for every verb, %#v included.
func (u WebhookURL) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, u.String()) }

// StoreURL is a place for objects, without a slash at its end: s3://bucket/prefix or file:///dir; "" if none is set.
type StoreURL string

var (
	// remoteStore is the form of every store's URL that is no directory. The store knows its own schemes and names of buckets.
	remoteStore = regexp.MustCompile(`^[a-z][a-z0-9]*://[A-Za-z0-9][A-Za-z0-9._-]*(/|$)`)
	// keyPrefix has only characters that mean the same in a URL, in an object key and in SQL.
	keyPrefix = regexp.MustCompile(`^[A-Za-z0-9._=+-]+(/[A-Za-z0-9._=+-]+)*$`)
)

// UnmarshalText takes s3://bucket, s3://bucket/prefix, the same with another scheme, and file:///dir. It does not know which
// schemes there are: checkpoint/bucket/open does. The library also calls it for a variable that is not set, with an empty text.
func (u *StoreURL) UnmarshalText(text []byte) error {
	raw := string(text)
	if raw == "" {
		return nil
	}
	if scheme, rest, ok := strings.Cut(raw, "://"); ok && scheme != "file" {
		place := strings.TrimRight(rest, "/")
		_, prefix, _ := strings.Cut(place, "/")
		dots := strings.Contains("/"+prefix+"/", "/./") || strings.Contains("/"+prefix+"/", "/../")
		if !remoteStore.MatchString(raw) || dots || prefix != "" && !keyPrefix.MatchString(prefix) {
			return invalidf("got %s; want s3://bucket or s3://bucket/prefix, with letters, digits and ._=+- in the prefix",
				publicURL(raw))
		}
		*u = StoreURL(scheme + "://" + place)
		return nil
	}
	parsed, err := url.Parse(raw)
	if err != nil || parsed.Scheme != "file" || parsed.Host != "" || parsed.User != nil || !path.IsAbs(parsed.Path) ||
		strings.ContainsAny(raw, "?#") || strings.ContainsFunc(parsed.Path, unicode.IsControl) {
		return invalidf("got %s; want s3://bucket/prefix, or file:///dir with three slashes", publicURL(raw))
	}
	*u = StoreURL((&url.URL{Scheme: "file", Path: path.Clean(parsed.Path)}).String())
	return nil
}

// Join is the place below, at the given name. Only the root directory ends in a slash.
func (u StoreURL) Join(name string) StoreURL {
	return StoreURL(strings.TrimSuffix(string(u), "/") + "/" + name)
}

// S3 is the bucket and the key prefix, which has no slash at either end; ok is false if the URL is not an s3 URL.
func (u StoreURL) S3() (bucket, prefix string, ok bool) {
	rest, ok := strings.CutPrefix(string(u), "s3://")
	bucket, prefix, _ = strings.Cut(rest, "/")
	return bucket, prefix, ok
}

// beside tells whether two places are in one bucket, or one directory is in the other.
func (u StoreURL) beside(other StoreURL) bool {
	bucket, _, remote := u.S3()
	second, _, both := other.S3()
	if remote || both || u == "" || other == "" {
		return remote && both && bucket == second
	}
	return strings.HasPrefix(string(u)+"/", string(other)+"/") || strings.HasPrefix(string(other)+"/", string(u)+"/")
}

// Dir is the absolute path of the directory; ok is false if the URL is not a file URL.
func (u StoreURL) Dir() (dir string, ok bool) {
	parsed, err := url.Parse(string(u))
	if err != nil || parsed.Scheme != "file" {
		return "", false
	}
	return parsed.Path, true
}

// parseHTTP reads an http or https URL with a host and without a user. Its error must not be shown: it may quote a
// password.
func parseHTTP(raw string) (*url.URL, error) {
	parsed, err := url.Parse(raw)
	if err != nil {
		return nil, err
	}
	if parsed.Scheme != "http" && parsed.Scheme != "https" || parsed.Hostname() == "" || parsed.User != nil {
		return nil, invalid("not an http URL with a host and without a user")
	}
	if _, err := strconv.ParseUint("0"+parsed.Port(), 10, 16); err != nil {
		return nil, invalid("no such port")
	}
	return parsed, nil
}

// publicURL is the part of a URL that an error may show, well formed or not: without user, password, query and fragment.
func publicURL(raw string) string {
	if at := strings.LastIndex(raw, "@"); at >= 0 {
		scheme, _, found := strings.Cut(raw[:at], "://")
		if !found || !slices.Contains([]string{"http", "https", "s3", "file"}, scheme) {
			return redacted
		}
		raw = scheme + "://" + redacted + raw[at:]
	}
	if i := strings.IndexAny(raw, "?#"); i >= 0 {
		raw = raw[:i+1] + redacted
	}
	return quote(raw)
}

// unencrypted tells whether requests to the URL cross a network in plain text.
func unencrypted(u *url.URL) bool {
	if u == nil || u.Scheme != "http" {
		return false
	}
	host := u.Hostname()
	return host != "localhost" && !net.ParseIP(host).IsLoopback()
}
