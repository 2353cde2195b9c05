package rest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"

	"github.com/houndtrail/houndtrail/config/setting"
	"github.com/houndtrail/houndtrail/exporter/quote"
	"github.com/houndtrail/houndtrail/exporter/transport"
)

// explainFailure makes a readable error of an error of the transport or the body. If the caller cancelled the request, that
// error stays as it is. Every other one becomes an [*Error].
func (c *Client) explainFailure(r *http.Request, a answer, err error) error {
	if r.Context().Err() != nil {
		return fmt.Errorf("%s %s on %s: %w", r.Method, r.URL.Path, r.URL.Host, context.Cause(r.Context()))
	}
	e := newError(Transport, r, a)
	e.Err = err
	e.Message = quote.Foreign(err.Error(), redactorOf(r), longestMessage)
	if strings.Contains(e.Message, "malformed") { // net/http quotes the malformed text, which may be part of a page
		e.Message = quote.Clip(e.Message, longestForeign)
	}
	switch {
	case isTooLarge(err):
		e.Kind = TooLarge
		e.Message = err.Error()
		e.Advice = "ask for fewer records; an export does so by itself, down to a single one, and no record is lost"
	case isSlowServer(err):
		e.Kind = Timeout
		e.Message = "no complete reply in time (" + e.Message + ")"
		e.Advice = adviceTimeout
	case transport.IsCertificate(err):
		e.Final = true
		e.Advice = transport.CertificateAdvice(setting.BloodHoundCAFile)
	default:
		explainNetwork(e, err)
	}
	return e
}

func isTooLarge(err error) bool {
	_, is := errors.AsType[tooLargeError](err)
	return is
}

// isSlowServer tells whether a server took too long. If the network did not even connect, that is another fault.
func isSlowServer(err error) bool {
	var op *net.OpError
	if errors.As(err, &op) && op.Op != "read" || strings.Contains(err.Error(), "TLS handshake timeout") {
		return false
	}
	var timeout net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

// explainNetwork adds advice for the most frequent failures.
func explainNetwork(e *Error, err error) {
	var (
		dns    *net.DNSError
		op     *net.OpError
		record tls.RecordHeaderError
		alert  tls.AlertError
		broken flate.CorruptInputError
		proxy  *transport.ProxyError
	)
	switch {
	case errors.Is(err, errProxyURL):
		e.Final = true
	case errors.Is(err, http.ErrSchemeMismatch), errors.As(err, &record):
		e.Final = true
		e.Advice = "the server does not speak TLS at this address: is it http:// or another port in " + setting.BloodHoundURL + "?"
	case errors.As(err, &alert):
		e.Final = true
		e.Advice = "the server ended the TLS handshake: it may ask for a client certificate or refuse this protocol version"
	case errors.As(err, &proxy):
		e.Final = proxy.Final()
	case errors.As(err, &op) && op.Op == "proxyconnect":
		e.Advice = "the proxy of HTTP_PROXY or HTTPS_PROXY refused or is down: correct it, or name the host in NO_PROXY"
	case errors.As(err, &dns):
		e.stubborn = dns.IsNotFound
		e.Advice = "check the host name in " + setting.BloodHoundURL + " and this machine's DNS"
	case errors.Is(err, syscall.ECONNREFUSED):
		e.Advice = "nothing listens at this address: is the server up, and the port in " + setting.BloodHoundURL + " right?"
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		e.Message = "the connection was cut before the reply was complete (" + e.Message + ")"
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum), errors.As(err, &broken):
		e.Message = "the reply was damaged on the way (" + e.Message + ")"
	default:
		e.Advice = "check the network between this machine and " + e.Host
	}
}
