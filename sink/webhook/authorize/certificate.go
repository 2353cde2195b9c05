package authorize

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/config/setting"
	"github.com/houndtrail/houndtrail/exporter/transport"
)

// An Identity has the certificates that a connection needs for TLS, as texts in PEM.
type Identity struct {
	Certificate string // of the client, followed by those that lead to its authority; "" for none
	Key         string // of the certificate
	Authorities string // to trust in addition to those of the system; "" for none
}

// Config returns the configuration of TLS. Its errors never show a key.
func (i Identity) Config() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if i.Authorities != "" {
		pool, err := transport.Authorities([]byte(i.Authorities))
		if err != nil {
			return nil, fmt.Errorf(setting.WebhookCAFile+": %w", err)
		}
		c.RootCAs = pool
	}
	if i.Certificate != "" || i.Key != "" {
		pair, err := tls.X509KeyPair([]byte(i.Certificate), []byte(i.Key))
		if err != nil {
			return nil, errors.New(setting.WebhookClientCertFile + " and " + setting.WebhookClientKeyFile + " are no certificate with " +
				"its key in PEM, the key without a password: " + err.Error())
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// A Certificate proves by a client certificate. It is also the transport of the requests. If the files of the certificate, of its
// key or of the authorities change, it makes a new transport. A connection with the earlier certificate ends with its last request.
type Certificate struct {
	identity *Fresh[Identity]
	build    func(*tls.Config) *http.Transport

	mu   sync.Mutex
	used Identity
	with *http.Transport
}

// NewCertificate reads the files by read. build makes a transport from a configuration of TLS.
func NewCertificate(read func() (Identity, error), build func(*tls.Config) *http.Transport, log *zap.Logger) (*Certificate, error) {
	checked := func() (Identity, error) {
		i, err := read()
		if err == nil {
			_, err = i.Config()
		}
		return i, err
	}
	const names = setting.WebhookClientCertFile + ", " + setting.WebhookClientKeyFile + " or " + setting.WebhookCAFile
	c := &Certificate{identity: NewFresh(names, checked, log), build: build}
	_, err := c.transport()
	return c, err
}

// transport returns the transport for the identity in use.
func (c *Certificate) transport() (*http.Transport, error) {
	identity, err := c.identity.Value()
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.with != nil && identity == c.used {
		return c.with, nil
	}
	config, err := identity.Config()
	if err != nil {
		return nil, err
	}
	if c.with != nil {
		c.with.CloseIdleConnections()
	}
	c.used, c.with = identity, c.build(config)
	return c.with, nil
}

// RoundTrip sends a request with the certificate in use.
func (c *Certificate) RoundTrip(r *http.Request) (*http.Response, error) {
	t, err := c.transport()
	if err != nil {
		return nil, err
	}
	return t.RoundTrip(r)
}

// Authorize adds nothing: the connection itself has the proof.
func (*Certificate) Authorize(context.Context, *http.Request, Body) error { return nil }

// Refused reads the files again.
func (c *Certificate) Refused(_ *http.Request, status int) (again bool, why string) {
	if status != CertificateRefused && !refusal(status) {
		return false, ""
	}
	if again, why = c.identity.Again(); again || why != "" {
		return again, why
	}
	return false, c.ended()
}

// ended says that the client's certificate is not valid now. It is "" if the certificate is valid, or if there is none.
func (c *Certificate) ended() string {
	identity, err := c.identity.Value()
	if err != nil || identity.Certificate == "" {
		return ""
	}
	pair, err := tls.X509KeyPair([]byte(identity.Certificate), []byte(identity.Key))
	if err != nil {
		return ""
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if now := time.Now(); err != nil || now.After(leaf.NotBefore) && now.Before(leaf.NotAfter) {
		return ""
	}
	return fmt.Sprintf("the certificate in %s is valid from %s to %s only", setting.WebhookClientCertFile,
		leaf.NotBefore.UTC().Format(time.RFC3339), leaf.NotAfter.UTC().Format(time.RFC3339))
}

// Secrets returns none: the key never leaves the process.
func (*Certificate) Secrets(*http.Request) []string { return nil }
