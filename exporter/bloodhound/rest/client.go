package rest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/exporter/transport"
)

// DefaultWait is used if Options.Wait is not set.
const DefaultWait = 30 * time.Second

// longestWait is the largest deadline that every generation of the server accepts: one generation replaces a larger one by its
// own maximum, without a word.
const longestWait = 30 * time.Second

// Options configure a [Client]. URL and Auth are required; a zero field takes its default.
type Options struct {
	URL  *url.URL      // https://tenant.example; a path is taken as a prefix
	Auth Authenticator // made by Token, Bearer or Login

	Rate  float64       // requests a second, with every try and login; 0: find out how many the server can take
	Wait  time.Duration // how long the server may work on one request; 1s to 30s, whole seconds
	Idle  time.Duration // how long a body may pause, without a byte that moves
	Retry RetryPolicy

	CAFile    string // in PEM; trusted besides the system's authorities
	Insecure  bool   // no TLS verification: for trials only
	UserAgent string

	Log       *zap.Logger       // it never gets a secret
	Observer  Observer          // for metrics
	Transport http.RoundTripper // replaces the client's own; CAFile, Insecure and the proxy variables then have no effect
}

// An Observer counts what the client does. Its methods are called concurrently and must not block.
type Observer interface {
	// Request is called for every request sent. The status is the HTTP status, or the [Kind] of a failure without one.
	Request(status string, d time.Duration)
	// Retry is called before every pause. The reason is a [Kind], or "other".
	Retry(reason string)
}

type noObserver struct{}

func (noObserver) Request(string, time.Duration) {}
func (noObserver) Retry(string)                  {}

// A Client sends requests to one BloodHound server. It is safe for concurrent use.
type Client struct {
	options   Options // with the defaults filled in
	prefix    string  // the URL's path, escaped, without a slash at its end
	prefer    string
	transport http.RoundTripper
	throttle  *throttle
	clock     clock
	shelf     shelf
}

// New checks the options and reports all their faults at once. It sends nothing.
func New(o Options) (*Client, error) {
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return nil, err
	}
	own := o.Transport
	if own == nil {
		var err error
		if own, err = newTransport(o); err != nil {
			return nil, err
		}
	}
	return &Client{
		options:   o,
		prefix:    strings.TrimRight(o.URL.EscapedPath(), "/"),
		prefer:    "wait=" + strconv.Itoa(int(o.Wait/time.Second)),
		transport: transport.Bound(own, o.bounds()),
		throttle:  newThrottle(o.Rate),
	}, nil
}

func (o Options) withDefaults() Options {
	o.Wait = cmp.Or(o.Wait, DefaultWait)
	o.Idle = cmp.Or(o.Idle, idleBody)
	o.Retry = o.Retry.withDefaults()
	o.UserAgent = cmp.Or(o.UserAgent, "houndtrail")
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.Observer == nil {
		o.Observer = noObserver{}
	}
	return o
}

func (o Options) check() error {
	return errors.Join(
		checkURL(o.URL),
		complainIf(o.Auth == nil, "credentials are missing: an API token, a JWT, or a user name and password"),
		complainIf(!(o.Rate >= 0), "the rate %v is below 0 requests a second", o.Rate),
		complainIf(o.Wait < time.Second || o.Wait > longestWait || o.Wait%time.Second != 0,
			"the wait %s is not a whole number of seconds from 1s to %s", o.Wait, longestWait),
	)
}

// checkURL never quotes the URL: it may hold a password.
func checkURL(u *url.URL) error {
	if u == nil {
		return errors.New("the BloodHound URL is missing")
	}
	return errors.Join(
		complainIf(u.Scheme != "https" && u.Scheme != "http" || u.Host == "",
			"the BloodHound URL is not of the form https://host"),
		complainIf(u.User != nil, "the BloodHound URL holds credentials: they belong in settings of their own"),
		complainIf(u.RawQuery != "" || u.Fragment != "", "the BloodHound URL has a query or a fragment: remove it"),
	)
}

func complainIf(wrong bool, format string, args ...any) error {
	if !wrong {
		return nil
	}
	return fmt.Errorf(format, args...)
}

// newRequest builds a request for the target. The target is a path and a query. The client sends it byte for byte, since the
// signature covers it. newRequest refuses a target that net/http would rewrite: the server would answer it with 401.
func (c *Client) newRequest(ctx context.Context, method, target string, body []byte) (*http.Request, error) {
	target = c.prefix + target
	var content io.Reader
	if len(body) > 0 {
		content = bytes.NewReader(body)
	}
	r, err := http.NewRequestWithContext(ctx, method, c.options.URL.Scheme+"://"+c.options.URL.Host+target, content)
	if err != nil {
		return nil, fmt.Errorf("request target: %w", err)
	}
	// URL.Opaque could carry any target. But then net/http forgets the host in a request through a plain HTTP proxy.
	if r.URL.RequestURI() != target || strings.ContainsAny(target, " #") {
		return nil, fmt.Errorf("request target %q is not escaped: it would not arrive as it is signed", target)
	}
	r.Header.Set("User-Agent", c.options.UserAgent)
	r.Header.Set("Accept", "application/json")
	// With this header, net/http leaves the body compressed, and our faster decoder unpacks it.
	r.Header.Set("Accept-Encoding", "gzip")
	r.Header.Set("Cache-Control", "no-cache")
	return r, nil
}
