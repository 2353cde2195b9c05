package rest

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/config/setting"
	"github.com/houndtrail/houndtrail/exporter/transport"
)

const (
	connectTimeout = 10 * time.Second
	// headerMargin is how long the client waits for a reply beyond Options.Wait. Options.Wait is the time in which it asks the
	// server to answer.
	headerMargin = 15 * time.Second
	// idleBody is how long a body may pause.
	idleBody = 30 * time.Second
	// bodyGrace and bodyRate limit the time of a whole body: a line of 85 kB/s is fast enough for a page of 8 MiB, and one of 90
	// kB/s for a record of 64 MiB.
	bodyGrace = 100 * time.Second
	bodyRate  = 100_000 // bytes a second
	// pingAfter finds an HTTP/2 connection that a firewall forgot. Without it the connection would hang until the time-out.
	pingAfter = 15 * time.Second
	// A readBuffer of this size saves a third of the client's CPU time on pages of ordinary size.
	readBuffer = 256 << 10
)

func newTransport(o Options) (http.RoundTripper, error) {
	roots, err := authorities(o.CAFile)
	if err != nil {
		return nil, err
	}
	if o.Insecure {
		o.Log.Warn("TLS verification is off: any machine on the way can read and change the audit log, so name the "+
			"server's authority in "+setting.BloodHoundCAFile+" instead", zap.String("host", o.URL.Host))
	}
	dialer := &net.Dialer{Timeout: connectTimeout, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:       discreet(http.ProxyFromEnvironment),
		DialContext: dialer.DialContext,

		OnProxyConnectResponse: transport.ProxyAnswer,
		TLSClientConfig: &tls.Config{
			MinVersion:         tls.VersionTLS12,
			RootCAs:            roots,
			InsecureSkipVerify: o.Insecure, //nolint:gosec // the user asked for it, and the log says so
		},
		TLSHandshakeTimeout: connectTimeout,
		IdleConnTimeout:     90 * time.Second,
		MaxIdleConnsPerHost: 4,
		DisableCompression:  true,
		ForceAttemptHTTP2:   true,
		HTTP2:               &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingAfter},
		ReadBufferSize:      readBuffer,
	}, nil
}

// bounds are the times that an exchange may take. Connecting counts as waiting for the answer.
func (o Options) bounds() transport.Bounds {
	return transport.Bounds{
		Answer: o.Wait + headerMargin + 2*connectTimeout, Idle: o.Idle, Grace: bodyGrace, Rate: bodyRate, Log: o.Log,
	}
}

// authorities are the system's certificates and those of the file. nil means only the system's.
func authorities(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the CA file: %w", err)
	}
	roots, err := transport.Authorities(pem)
	if err != nil {
		return nil, fmt.Errorf("the CA file %s: %w", file, err)
	}
	return roots, nil
}

// errProxyURL replaces an error that quotes the proxy's URL with its password.
var errProxyURL = errors.New("HTTP_PROXY or HTTPS_PROXY is not a valid URL: correct it, or name the host in NO_PROXY")

func discreet(proxy func(*http.Request) (*url.URL, error)) func(*http.Request) (*url.URL, error) {
	return func(r *http.Request) (*url.URL, error) {
		u, err := proxy(r)
		if err != nil {
			return nil, errProxyURL
		}
		return u, nil
	}
}
