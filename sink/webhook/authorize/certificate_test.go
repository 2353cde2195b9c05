package authorize_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/exporter/transport"
	"github.com/houndtrail/houndtrail/sink/sinktest/receivers"
	"github.com/houndtrail/houndtrail/sink/webhook/authorize"
)

// clientOf returns the identity of a client of the authority.
func clientOf(t *testing.T, a *receivers.Authority, name string, end time.Time) authorize.Identity {
	t.Helper()
	certificate, key := a.Client(t, name, end)
	return authorize.Identity{Certificate: certificate, Key: key}
}

// A doorman notes the names of the clients that it lets in.
type doorman struct {
	mu    sync.Mutex
	names []string
}

func (d *doorman) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.names = append(d.names, r.TLS.PeerCertificates[0].Subject.CommonName)
}

// identities is a set of files that changes.
type identities struct {
	now authorize.Identity
	err error
}

func (i *identities) read() (authorize.Identity, error) { return i.now, i.err }

func carrier(t *testing.T, files *identities) *authorize.Certificate {
	t.Helper()
	c, err := authorize.NewCertificate(files.read, func(c *tls.Config) *http.Transport {
		return &http.Transport{TLSClientConfig: c, ForceAttemptHTTP2: true}
	}, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func post(t *testing.T, c *authorize.Certificate, to string) error {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, to, strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.RoundTrip(r)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return errors.Join(err, resp.Body.Close())
}

// A new certificate is in use without a restart. The server sees it even if a connection with the earlier one is open.
func TestCertificate(t *testing.T) {
	t.Parallel()
	authority, door := receivers.NewAuthority(t), &doorman{}
	url, trusted := authority.Guard(t, door)
	files := &identities{now: clientOf(t, authority, "first", time.Time{})}
	files.now.Authorities = trusted
	c := carrier(t, files)
	if err := post(t, c, url); err != nil {
		t.Fatal(err)
	}
	next := clientOf(t, authority, "second", time.Time{})
	next.Authorities = trusted
	files.now = authorize.Identity{Certificate: next.Certificate, Key: files.now.Key, Authorities: trusted} // half written
	if again, why := c.Refused(nil, authorize.CertificateRefused); again ||
		!strings.Contains(why, "HOUNDTRAIL_WEBHOOK_CLIENT_CERT_FILE and HOUNDTRAIL_WEBHOOK_CLIENT_KEY_FILE are no certificate with its key") {
		t.Errorf("half of a pair: %t %q", again, why)
	}
	if err := post(t, c, url); err != nil {
		t.Errorf("half of a pair breaks what worked: %v", err)
	}
	files.now = next
	if again, why := c.Refused(nil, 403); !again || why != "" {
		t.Errorf("another pair: %t %q", again, why)
	}
	if err := post(t, c, url); err != nil {
		t.Fatal(err)
	}
	if want := []string{"first", "first", "second"}; !slices.Equal(door.names, want) {
		t.Errorf("the server saw %v, want %v", door.names, want)
	}
}

// Each side may refuse the other's certificate. Only another pair of files changes that.
func TestCertificateRefused(t *testing.T) {
	t.Parallel()
	authority, door := receivers.NewAuthority(t), &doorman{}
	url, trusted := authority.Guard(t, door)
	stranger := clientOf(t, receivers.NewAuthority(t), "stranger", time.Time{})
	ended := clientOf(t, authority, "ended", time.Now().Add(-time.Hour))
	for name, test := range map[string]struct {
		identity  authorize.Identity
		trusts    bool
		says, why string
	}{
		"none":     {authorize.Identity{}, true, "certificate", ""},
		"stranger": {stranger, true, "certificate", ""},
		"ended":    {ended, true, "certificate", "the certificate in HOUNDTRAIL_WEBHOOK_CLIENT_CERT_FILE is valid from "},
		"server":   {clientOf(t, authority, "good", time.Time{}), false, "unknown authority", ""},
	} {
		if test.trusts {
			test.identity.Authorities = trusted
		}
		c := carrier(t, &identities{now: test.identity})
		err := post(t, c, url)
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		// If a server closes the connection at once, its alert may be lost. Then the connection looks broken.
		if refused := transport.IsCertificateRefused(err); transport.IsCertificate(err) == test.trusts || refused && !test.trusts {
			t.Errorf("%s: %v", name, err)
		}
		again, why := c.Refused(nil, authorize.CertificateRefused)
		if again || !strings.HasPrefix(why, test.why) || (test.why == "") != (why == "") {
			t.Errorf("%s: %t %q", name, again, why)
		}
	}
	if len(door.names) != 0 {
		t.Errorf("the server let in %v", door.names)
	}
}

// The user trusts the server's authority only later.
func TestCertificateWithNewAuthorities(t *testing.T) {
	t.Parallel()
	authority := receivers.NewAuthority(t)
	url, trusted := authority.Guard(t, &doorman{})
	files := &identities{now: clientOf(t, authority, "client", time.Time{})}
	c := carrier(t, files)
	if err := post(t, c, url); !transport.IsCertificate(err) {
		t.Fatalf("%v", err)
	}
	files.now.Authorities = "no PEM"
	if again, why := c.Refused(nil, authorize.CertificateRefused); again || !strings.Contains(why, "HOUNDTRAIL_WEBHOOK_CA_FILE") {
		t.Errorf("%t %q", again, why)
	}
	files.now.Authorities = trusted
	if again, _ := c.Refused(nil, authorize.CertificateRefused); !again {
		t.Error("the new authorities are not tried")
	}
	if err := post(t, c, url); err != nil {
		t.Error(err)
	}
}

func TestNewCertificateRejects(t *testing.T) {
	t.Parallel()
	good := clientOf(t, receivers.NewAuthority(t), "good", time.Time{})
	for name, files := range map[string]*identities{
		"unreadable": {err: errors.New("no such file")}, "no key": {now: authorize.Identity{Certificate: good.Certificate}},
		"no certificate": {now: authorize.Identity{Key: good.Key}}, "no PEM": {now: authorize.Identity{Certificate: "SECRET", Key: "SECRET"}},
		"no authority": {now: authorize.Identity{Authorities: "SECRET"}},
	} {
		_, err := authorize.NewCertificate(files.read, nil, zap.NewNop())
		if err == nil || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
