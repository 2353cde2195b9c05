package doctor

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/transport"
)

// soon is the remaining time of a certificate below which there is a warning. A renewal that works comes earlier.
const soon = 14 * 24 * time.Hour

// A way is the path of a client to a server: the name, the proxy, the connection and the certificate. The client itself makes the
// connection, and the way only watches.
type way struct {
	server string // the server and the setting that names it, for people
	url    string // of the server, as the setting has it; it is only parsed, and never shown
	// setting names the address, and authority names the file of authorities.
	setting, authority string
	stage              exporter.Stage // the stage of a run that uses this way

	mu      sync.Mutex
	first   string // host:port of the first hop, which is the server or a proxy
	peer    string // its address
	session *tls.ConnectionState
	err     error // the reason if no answer came; nil for any answer
}

// watch returns a context whose requests tell the way.
func (w *way) watch(ctx context.Context) context.Context {
	note := func(f func()) {
		w.mu.Lock()
		defer w.mu.Unlock()
		f()
	}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(hostPort string) { note(func() { w.first = hostPort }) },
		GotConn: func(i httptrace.GotConnInfo) { note(func() { w.peer = i.Conn.RemoteAddr().String() }) },
		TLSHandshakeDone: func(s tls.ConnectionState, err error) {
			if err == nil {
				note(func() { w.session = &s }) // if a proxy has a certificate, the server's comes second
			}
		},
	})
}

// A hop is the part of the way at which a request failed.
type hop int

const (
	hopNone hop = iota
	hopProxy
	hopAddress
	hopCertificate
	hopAnswer // the server was reached
)

// failed returns the hop at which the request failed.
func (w *way) failed() hop {
	var (
		proxy  *transport.ProxyError
		op     *net.OpError
		record tls.RecordHeaderError
		alert  tls.AlertError
		dns    *net.DNSError
	)
	switch err := w.err; {
	case err == nil:
		return hopNone
	case errors.As(err, &proxy), errors.As(err, &op) && op.Op == "proxyconnect", strings.Contains(err.Error(), "HTTP_PROXY or HTTPS_PROXY"):
		return hopProxy
	case transport.IsCertificate(err), errors.Is(err, http.ErrSchemeMismatch), errors.As(err, &record), errors.As(err, &alert):
		return hopCertificate
	case errors.As(err, &dns), op != nil && op.Op == "dial":
		return hopAddress
	case w.session == nil && strings.HasPrefix(w.url, "https:") && w.peer == "" && errors.As(err, &op):
		return hopCertificate // the other side ended the handshake
	default:
		return hopAnswer
	}
}

// proxied names the proxy that the client uses, without its password; "" if it uses none.
func (w *way) proxied() string {
	to, err := url.Parse(w.url)
	if err != nil {
		return ""
	}
	proxy, err := http.ProxyFromEnvironment(&http.Request{URL: to})
	if err != nil || proxy == nil {
		return ""
	}
	return proxy.Scheme + "://" + proxy.Host
}

func (w *way) proxyRow() []Row {
	name := w.proxied()
	switch {
	case w.failed() == hopProxy:
		return fail(at(w.stage, w.err), "correct HTTPS_PROXY (for http addresses HTTP_PROXY), or name the host in NO_PROXY")
	case name == "":
		return nil
	default:
		return okf("goes through %s, by HTTPS_PROXY or HTTP_PROXY", name)
	}
}

func (w *way) addressRow() []Row {
	switch {
	case w.failed() == hopAddress:
		return fail(at(w.stage, w.err), "check the name and the port in "+w.setting+", the name server, and the network")
	case w.peer == "" && w.failed() == hopCertificate:
		return okf("something listens at %s", w.first)
	case w.peer == "":
		return fail(at(w.stage, w.err), "check "+w.setting+" and the network")
	case w.proxied() != "":
		return okf("%s, reached through the proxy", w.server)
	default:
		return okf("%s is at %s", w.server, w.peer)
	}
}

// certificateRow judges the chain by the clock of this machine, like the client.
func (w *way) certificateRow(now time.Time) []Row {
	if w.failed() == hopCertificate {
		seen := "no TLS with " + w.server + ": "
		if bad := refused(w.err); bad != nil {
			seen = describe(bad) + ": "
		}
		return failAs(at(w.stage, w.err), seen+reason(w.err), w.remedy())
	}
	if w.session == nil {
		return nil // no TLS: if the way leaves this machine, the check of the settings says so
	}
	chain := w.session.PeerCertificates
	if len(w.session.VerifiedChains) > 0 {
		chain = w.session.VerifiedChains[0]
	}
	first := slices.MinFunc(chain, func(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) })
	seen := fmt.Sprintf("%s, chain of %d, %s", describe(chain[0]), len(chain), tls.VersionName(w.session.Version))
	if len(w.session.VerifiedChains) == 0 {
		return warn(seen+": not verified, since the settings trust any certificate", "name the authority in "+w.authority+" instead")
	}
	if first.NotAfter.Sub(now) < soon {
		return warn(seen+"; the first of the chain to end does so at "+first.NotAfter.UTC().Format(time.RFC3339),
			"renew the server's certificate, or find out why that has not happened by itself")
	}
	return []Row{{State: OK, Seen: seen}}
}

func (w *way) remedy() string {
	var (
		unknown x509.UnknownAuthorityError
		invalid x509.CertificateInvalidError
		host    x509.HostnameError
		record  tls.RecordHeaderError
	)
	switch {
	case errors.As(w.err, &unknown):
		return "name the PEM file of the authority that signed it in " + w.authority
	case errors.As(w.err, &host):
		return "use the name that the certificate is for in " + w.setting + ", or give the server another certificate"
	case errors.As(w.err, &invalid) && invalid.Reason == x509.Expired:
		return "renew the server's certificate, or set this machine's clock right"
	case errors.Is(w.err, http.ErrSchemeMismatch), errors.As(w.err, &record):
		return "the server does not speak TLS at this address: correct the scheme or the port in " + w.setting
	}
	return "check the scheme and the port in " + w.setting + ", and the certificate of the server"
}

// refused returns the certificate that this side refused; nil if there was none.
func refused(err error) *x509.Certificate {
	var (
		unknown x509.UnknownAuthorityError
		invalid x509.CertificateInvalidError
		host    x509.HostnameError
	)
	switch {
	case errors.As(err, &unknown):
		return unknown.Cert
	case errors.As(err, &invalid):
		return invalid.Cert
	case errors.As(err, &host):
		return host.Certificate
	}
	return nil
}

// reason is the innermost error about TLS, in the words of the library.
func reason(err error) string {
	var (
		unknown x509.UnknownAuthorityError
		invalid x509.CertificateInvalidError
		host    x509.HostnameError
	)
	switch {
	case errors.As(err, &unknown):
		return "it is signed by an authority that is not known here"
	case errors.As(err, &invalid):
		return strings.TrimPrefix(invalid.Error(), "x509: ")
	case errors.As(err, &host):
		return strings.TrimPrefix(host.Error(), "x509: ")
	}
	seen, _ := told(err)
	return seen
}

func describe(c *x509.Certificate) string {
	return fmt.Sprintf("certificate of %q, signed by %q, valid until %s", cmp.Or(c.Subject.CommonName, strings.Join(c.DNSNames, " ")),
		cmp.Or(c.Issuer.CommonName, c.Issuer.String()), c.NotAfter.UTC().Format(time.RFC3339))
}
