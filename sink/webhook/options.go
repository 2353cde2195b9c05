package webhook

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/houndtrail/houndtrail/config/setting"
	"github.com/houndtrail/houndtrail/exporter/transport"
	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/webhook/authorize"
	"github.com/houndtrail/houndtrail/sink/webhook/deadletter"
	"github.com/houndtrail/houndtrail/sink/webhook/expect"
	"github.com/houndtrail/houndtrail/sink/webhook/format"
	"github.com/houndtrail/houndtrail/sink/webhook/taken"
)

// These are the defaults of [Options].
const (
	DefaultInFlight = 8
	DefaultTimeout  = 30 * time.Second
	DefaultRetryFor = 5 * time.Minute
)

// Options name the receiver, and say how to post to it. Only URL and Tenant are required.
type Options struct {
	// URL is the address to which the sink posts the batches. It may have a query: this is often a token, so Houndtrail never shows
	// it. It must not have a user and a password: these belong into Authorization.
	URL string
	// Tenant is in every line and in every event id.
	Tenant string
	// Authorization returns the value of the header that has the user's credential, with the scheme. If it is nil, or returns "", the
	// sink sends no such header. The sink calls it again while it runs. It does the same with the other functions here that return
	// secrets: see package authorize.
	Authorization func() (string, error)
	// Headers returns additional headers for every request. They may replace Content-Type and User-Agent. Nil adds none.
	Headers func() (http.Header, error)
	// OAuth, if set, gets a bearer token for each request. The sink sets the fields Transport and Log.
	OAuth *authorize.OAuthOptions
	// SigningSecrets returns the secrets of Standard Webhooks. The sink signs each attempt with each of them. If it is nil, the sink
	// signs nothing.
	SigningSecrets func() (string, error)
	// Identity returns the client certificate, and the authorities to trust. Nil means no certificate, and the system's authorities.
	Identity func() (authorize.Identity, error)

	// Format is the name of the receiver's format, one of [format.Names]. "" means NDJSON.
	Format string
	// Schema is the name of the schema of the events, one of [schema.Names]. "" means Native. TrustedProxies is the option of that
	// name.
	Schema         string
	TrustedProxies int
	// BatchRecords and BatchBytes (before compression) limit one batch. A larger record is a batch by itself. Zero means the format's
	// own limit.
	BatchRecords int
	BatchBytes   int
	// RecordBytes is the size above which the format cuts a record. Zero means the format's own limit.
	RecordBytes int
	// AllowStale sends records even if they are older than the receiver takes. BareLines is for a Loki without structured metadata.
	// Both are options of the format: see [format.Options].
	AllowStale, BareLines bool
	// InFlight is how many batches may be in flight at a time, in all windows together.
	InFlight int
	// Limiter limits the requests a second to the receiver: posts, further attempts, and questions for acknowledgements. Several sinks
	// of a process may share one. Nil means no limit.
	Limiter *rate.Limiter
	// Compression is the compression of a batch's body. "" means Gzip.
	Compression ndjson.Compression

	// HEC has the settings of the format splunk-hec.
	HEC format.HECOptions

	// Letters takes the records that the receiver refuses, each alone. If it is nil, such a record blocks the stream.
	Letters *deadletter.Box
	// Taken remembers the batches that the receiver has taken, for a process after a kill. If it is nil, that process sends the whole
	// window again.
	Taken *taken.Memory
	// LettersOff says that the user has turned the dead letter off. Then the error about a record that blocks the stream names the
	// setting.
	LettersOff bool

	// Expect is what an answer must say to acknowledge its batch, in addition to the demands of the format.
	Expect expect.Expectation

	// Timeout limits the time of one request, from dialling to the last byte of the answer.
	Timeout time.Duration
	// RetryFor is the patience for one batch: no new attempt starts later than this after the first one. With a nanosecond, there is a
	// single attempt. If a receiver asks for a longer pause, the error is a [*PostponedError].
	RetryFor time.Duration

	// Transport sends the requests. If it is nil, the sink makes a transport that obeys HTTP(S)_PROXY and Identity.
	Transport http.RoundTripper
	// Version is the version of the program, for the user agent houndtrail/<version>.
	Version string
	// Log gets a line for every retry. If it is nil, the sink logs nothing.
	Log *zap.Logger
	// Observe, if set, gets every attempt as soon as the attempt ends, for metrics. It must not block.
	Observe func(Attempt)
	// Retried, if set, gets every failed attempt that another attempt follows, before the pause. It must not block.
	Retried func(Retry)
}

// An Attempt is one POST and its outcome.
type Attempt struct {
	Batch   string        // the batch id
	Number  int           // 1 for the batch's first attempt
	Status  int           // 0 if no answer came
	Records int           // in the batch
	Bytes   int           // of the body as sent
	Aside   int           // records that the receiver has put into another place than Houndtrail asked for
	Took    time.Duration // until Houndtrail has read the answer
	Err     error         // nil if the receiver acknowledged the batch, or has taken it and acknowledges it later
}

// A Retry is a failed attempt that another attempt follows.
type Retry struct {
	Batch  string // the batch id
	Number int    // of the attempt that failed; 1 for the batch's first
	Reason string // in one word: timeout, token, transport, unexpected, or the status
	Pause  time.Duration
	Err    error // without secrets
}

func (o Options) withDefaults() Options {
	o.Format = cmp.Or(o.Format, format.NDJSON)
	o.InFlight = cmp.Or(o.InFlight, DefaultInFlight)
	o.Compression = cmp.Or(o.Compression, ndjson.Gzip)
	o.Timeout = cmp.Or(o.Timeout, DefaultTimeout)
	o.RetryFor = cmp.Or(o.RetryFor, DefaultRetryFor)
	o.Version = cmp.Or(o.Version, "dev")
	if o.Observe == nil {
		o.Observe = func(Attempt) {}
	}
	if o.Retried == nil {
		o.Retried = func(Retry) {}
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	return o
}

// within sets the limits that the user has not set to those of the format. If the order of the batches matters, it allows one batch
// at a time.
func (o Options) within(l format.Limits) Options {
	o.BatchRecords = cmp.Or(o.BatchRecords, l.Records)
	o.BatchBytes = cmp.Or(o.BatchBytes, l.Bytes)
	if l.Ordered {
		o.InFlight = 1
	}
	return o
}

// check reports all problems at the same time. The caller has set the defaults before.
func (o Options) check() error {
	var problems []error
	complain := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if o.Tenant == "" {
		complain("webhook: the tenant is empty: set " + setting.Tenant)
	}
	if o.BatchRecords < 0 {
		complain("webhook: "+setting.WebhookBatchRecords+" is %d: it must be positive", o.BatchRecords)
	}
	if o.BatchBytes < 0 {
		complain("webhook: "+setting.WebhookBatchBytes+" is %d: it must be positive", o.BatchBytes)
	}
	if o.InFlight < 0 {
		complain("webhook: "+setting.WebhookInFlight+" is %d: it must be positive", o.InFlight)
	}
	if o.Timeout < 0 {
		complain("webhook: "+setting.WebhookTimeout+" is %s: it must be positive", o.Timeout)
	}
	if o.RetryFor < 0 {
		complain("webhook: the time for retries is %s: it must be positive", o.RetryFor)
	}
	if c := o.Compression; c != ndjson.Gzip && c != ndjson.Zstd && c != ndjson.None {
		complain("webhook: "+setting.WebhookCompression+" is %q: use %s, %s or %s", c, ndjson.Gzip, ndjson.Zstd, ndjson.None)
	}
	return errors.Join(problems...)
}

// parseURL never shows the value in an error: if it cannot parse the value, any part of it may be the password.
func parseURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case raw == "":
		return nil, errors.New("webhook: the URL is empty: set " + setting.WebhookURL)
	case err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Hostname() == "":
		return nil, errors.New("webhook: " + setting.WebhookURL + " is not a web address: " +
			"write https://host/path (the value is not shown, since it may hold a secret)")
	case u.User != nil:
		return nil, fmt.Errorf("webhook: "+setting.WebhookURL+" for %s has a user or password in it: "+
			"take it out and put the header's value, Basic <base64 of user:password>, into "+
			setting.WebhookAuthorization, u.Host)
	case u.Fragment != "":
		return nil, fmt.Errorf("webhook: "+setting.WebhookURL+" for %s has a part after #, which is never sent: "+
			"take it out, or write %%23 where it belongs to the path or query", u.Host)
	}
	return u, nil
}

func newTransport(config *tls.Config, inFlight int) *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:     config,
		TLSHandshakeTimeout: 10 * time.Second,

		OnProxyConnectResponse: transport.ProxyAnswer,

		ForceAttemptHTTP2:   true, // net/http switches HTTP/2 off if TLSClientConfig is set
		IdleConnTimeout:     90 * time.Second,
		MaxIdleConnsPerHost: inFlight,
		DisableCompression:  true,    // answers are short, and their limit is one of the bytes that Houndtrail reads
		WriteBufferSize:     1 << 16, // a batch is large: this saves 15 of 16 system calls
	}
}
