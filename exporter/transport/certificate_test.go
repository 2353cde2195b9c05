package transport_test

import (
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/houndtrail/houndtrail/exporter/transport"
)

// Without the authority's PEM file, the client refuses a server of a private authority. With it, the client accepts the server.
func TestAuthorities(t *testing.T) {
	t.Parallel()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // it would tell of the refused handshake
	srv.StartTLS()
	t.Cleanup(srv.Close)
	own, err := transport.Authorities(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}))
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		pool    *x509.CertPool
		refused bool
	}{"own": {own, false}, "the system's": {nil, true}, "none": {x509.NewCertPool(), true}} {
		client := srv.Client().Transport.(*http.Transport).Clone() //nolint:errcheck,forcetypeassert // httptest makes it
		client.TLSClientConfig.RootCAs = test.pool
		_, err := do(t.Context(), client, srv.URL, nil)
		if (err != nil) != test.refused || transport.IsCertificate(err) != test.refused {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := transport.Authorities([]byte("no PEM")); err == nil {
		t.Error("a text without a certificate is taken")
	}
}
