package receivers

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// An Authority is a certificate authority that a test makes.
type Authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// NewAuthority makes an authority that only the test trusts.
func NewAuthority(tb testing.TB) *Authority {
	tb.Helper()
	a := &Authority{}
	a.certificate, a.key = a.sign(tb, &x509.Certificate{
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, Subject: pkix.Name{CommonName: "authority"},
	})
	return a
}

// sign signs a certificate. The first certificate signs itself.
func (a *Authority) sign(tb testing.TB, c *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	if c.NotAfter.IsZero() {
		c.NotAfter = time.Now().Add(time.Hour)
	}
	c.SerialNumber, c.NotBefore = big.NewInt(time.Now().UnixNano()), time.Now().Add(-2*time.Hour)
	parent, signer := a.certificate, a.key
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	if err != nil {
		tb.Fatal(err)
	}
	signed, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	return signed, key
}

// Client makes the certificate of a client and its key, in PEM. It is valid until end. If end is zero, it is valid for an hour.
func (a *Authority) Client(tb testing.TB, name string, end time.Time) (certificate, key string) {
	tb.Helper()
	c, private := a.sign(tb, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, NotAfter: end, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		tb.Fatal(err)
	}
	return inPEM("CERTIFICATE", c.Raw), inPEM("PRIVATE KEY", der)
}

func inPEM(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// Guard serves a receiver by TLS, with HTTP/2. It demands a client certificate of the authority. authorities are the certificates
// that a client must trust, in PEM.
func (a *Authority) Guard(tb testing.TB, h http.Handler) (url, authorities string) {
	tb.Helper()
	clients := x509.NewCertPool()
	clients.AddCert(a.certificate)
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = true
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // the log would show the refused handshakes
	s.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients, MinVersion: tls.VersionTLS12}
	s.StartTLS()
	tb.Cleanup(s.Close)
	return s.URL, inPEM("CERTIFICATE", s.Certificate().Raw)
}
