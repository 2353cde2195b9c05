package seal_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"pgregory.net/rapid"

	"github.com/houndtrail/houndtrail/checkpoint/seal"
)

func TestOrigins(t *testing.T) {
	t.Parallel()
	const id = "6f1c6a0e-8b1f-4c3b-9a77-000000000001"
	for tenant, want := range map[string]string{
		"acme.example":      "acme.example",
		"acme.example:8443": "acme.example:8443",
		"A-z_0":             "A-z_0",
		"a+b c/d%2":         "a%2Bb%20c%2Fd%252",
		"ä\n":               "%C3%A4%0A",
	} {
		got, err := seal.NewOrigin(tenant, "archive-backfill", id)
		if want += "/houndtrail/archive-backfill/6f1c6a0e8b1f4c3b"; err != nil || got != want || seal.CheckOrigin(got) != nil {
			t.Errorf("%q has the origin %q, want %q (%v)", tenant, got, want, err)
		}
	}
	for _, bad := range [][3]string{{"", "archive", id}, {"a", "", id}, {"a", "Archive", id}, {"a", "a/b", id}, {"a", "archive", "6f1c6a0e8b1f4c3b"}, {"a", "archive", ""}} {
		if got, err := seal.NewOrigin(bad[0], bad[1], bad[2]); err == nil {
			t.Errorf("%q has the origin %q", bad, got)
		}
	}
	for _, bad := range []string{
		"", "a", origin + "\n", origin + "0", strings.ToUpper(origin), "a%2b/houndtrail/archive/6f1c6a0e8b1f4c3b",
		"a%41/houndtrail/archive/6f1c6a0e8b1f4c3b", "%/houndtrail/archive/6f1c6a0e8b1f4c3b", "a+b/houndtrail/archive/6f1c6a0e8b1f4c3b",
	} {
		if seal.CheckOrigin(bad) == nil {
			t.Errorf("%q is an origin", bad)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.StringN(1, 9, -1).Draw(t, "a"), rapid.StringN(1, 9, -1).Draw(t, "b")
		of := func(tenant string) string { return must[string](t)(seal.NewOrigin(tenant, "archive", id)) }
		if (a == b) != (of(a) == of(b)) {
			t.Fatalf("%q and %q have the origins %q and %q", a, b, of(a), of(b))
		}
		if vkey, err := public(1).VerifierKey(of(a)); err != nil || second(note.NewVerifier(vkey)) != nil {
			t.Fatalf("%q has the verifier key %q (%v)", a, vkey, err)
		}
	})
}

// TestKeyFiles: a text that is no Ed25519 key is refused with a reason, and no message repeats a secret.
func TestKeyFiles(t *testing.T) {
	t.Parallel()
	secret := must[[]byte](t)(seal.PrivatePEM(private(1), "name: acme\n-----BEGIN PRIVATE KEY-----\n"))
	if !strings.HasPrefix(string(secret), "name: acme\n- - -BEGIN") {
		t.Errorf("the text before a key is\n%s", secret)
	}
	if got, err := seal.ParsePrivateKey(secret); err != nil || !got.Equal(private(1)) {
		t.Errorf("a key with a text before it: %v", err)
	}
	other := must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	otherPEM := func(kind string, der []byte, err error) []byte {
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(other)
	ec := otherPEM("PRIVATE KEY", pkcs8, err)
	spki, err := x509.MarshalPKIXPublicKey(other.Public())
	ecPublic := otherPEM("PUBLIC KEY", spki, err)
	for want, file := range map[string][]byte{
		"has no private key":     []byte("hello"),
		"more than one key":      append(secret, secret...),
		"is encrypted":           otherPEM("ENCRYPTED PRIVATE KEY", []byte{1}, nil),
		"a public key, and no":   public(1).PEM(""),
		"a certificate, and no":  otherPEM("CERTIFICATE", []byte{1}, nil),
		"private key is damaged": otherPEM("PRIVATE KEY", []byte{1}, nil),
		"*ecdsa.PrivateKey, and": ec,
	} {
		if _, err := seal.ParsePrivateKey(file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	for want, file := range map[string][]byte{
		"has no public key":     nil,
		"a private key, and no": secret,
		"public key is damaged": otherPEM("PUBLIC KEY", []byte{1}, nil),
		"*ecdsa.PublicKey, and": ecPublic,
		"more than one key":     append(public(1).PEM(""), public(2).PEM("")...),
	} {
		if _, err := seal.ParsePublicKey(file); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "MC4CAQ") {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	var key seal.PublicKey
	text := string(must[[]byte](t)(public(1).MarshalText()))
	if err := key.UnmarshalText([]byte(text)); err != nil || key != public(1) {
		t.Errorf("%s comes back as %x, %v", text, key, err)
	}
	for _, bad := range []string{"", text + "\n", text[1:], "MCow", "\n" + text} {
		if err := key.UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q is a public key", bad)
		}
	}
	if got := public(1).Fingerprint(); len(got) != 64 || got == public(2).Fingerprint() {
		t.Errorf("the fingerprint is %s", got)
	}
}

// TestSigningRefuses: a signer refuses a text that is of another journal, that cannot be read again, or that is signed already.
func TestSigningRefuses(t *testing.T) {
	t.Parallel()
	one := seal.NewSigner(origin, private(1))
	stranger := seal.NewSigner(strings.Replace(origin, "archive", "webhook", 1), private(1))
	good := seal.Head{Origin: origin, Size: 1}
	for what, f := range map[string]func() error{
		"another journal's key": func() error { return second(good.Sign(stranger)) },
		"a key twice":           func() error { return second(good.Sign(one, one)) },
		"an empty tree":         func() error { return second((&seal.Head{Origin: origin}).Sign(one)) },
		"no origin":             func() error { return second((&seal.Head{Size: 1}).Sign()) },
		"too large":             func() error { return second((&seal.Head{Origin: origin, Size: 1<<53 + 1}).Sign()) },
		"a year without its form": func() error {
			return second((&seal.Head{Origin: origin, Size: 1, Cursor: time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC)}).Sign())
		},
		"a signed entry":     func() error { return second(seal.SignEntry(line(t, 1), origin, 1, one)) },
		"no line":            func() error { return second(seal.SignEntry([]byte("{}"), origin, 1, one)) },
		"another origin":     func() error { return second(seal.SignEntry([]byte("{}\n"), "x", 1, one)) },
		"the key of another": func() error { return second(seal.SignEntry([]byte("{}\n"), origin, 1, stranger)) },
		"a key that fails":   func() error { return second(good.Sign(broken{one})) },
		"a head of another":  func() error { return second(seal.NewSeal(origin, entry(t, 2).After(), head(t, 1))) },
		"a head of another origin": func() error {
			return second(seal.NewSeal(strings.Replace(origin, "archive", "webhook", 1), entry(t, 2).After(), head(t, 2)))
		},
		"a head of another size": func() error {
			wrong := seal.Head{Origin: origin, Size: 3, Root: entry(t, 2).After().Root()}
			return second(seal.NewSeal(origin, entry(t, 2).After(), must[string](t)(wrong.Sign(one))))
		},
		"no head": func() error { return second(seal.NewSeal(origin, entry(t, 2).After(), "")) },
	} {
		if f() == nil {
			t.Errorf("%s: it is signed", what)
		}
	}
	if bare := must[string](t)(good.Sign()); strings.Contains(bare, "\n\n") || bare != good.Text() {
		t.Errorf("without a key the head is %q", bare)
	}
	if same := must[[]byte](t)(seal.SignEntry([]byte("{}\n"), origin, 1)); string(same) != "{}\n" {
		t.Errorf("without a key the entry is %q", same)
	}
}

type broken struct{ note.Signer }

func (broken) Sign([]byte) ([]byte, error) { return nil, errors.New("the key is gone") }

// TestHeadsOfOthers: a head belongs to one journal, and to the keys that the reader has.
func TestHeadsOfOthers(t *testing.T) {
	t.Parallel()
	bare, _, _ := strings.Cut(head(t, newest), "\n\n")
	for what, tc := range map[string]struct {
		text, origin string
		key          seal.PublicKey
		want         error
	}{
		"unsigned":        {bare + "\n", origin, public(1), seal.ErrUnsigned},
		"by another key":  {head(t, 1), origin, public(2), seal.ErrUnknownKey},
		"changed records": {strings.Replace(head(t, 1), "records 10", "records 11", 1), origin, public(1), seal.ErrBadSignature},
	} {
		if _, _, err := seal.OpenHead(tc.text, tc.origin, tc.key); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", what, err, tc.want)
		}
	}
	if _, _, err := seal.OpenHead(head(t, 1), strings.Replace(origin, "archive", "webhook", 1), public(1)); err == nil {
		t.Error("a head of another journal is taken")
	}
	lines := ""
	for i := range 101 {
		lines += fmt.Sprintf("— witness.example/%d AAAAAQID\n", i)
	}
	long := ""
	for i := range 70 {
		long += fmt.Sprintf("— %d%s AAAAAQID\n", i, strings.Repeat("w", 1000))
	}
	for what, text := range map[string]string{
		"cut off":        head(t, 1)[:len(head(t, 1))-1],
		"101 signatures": bare + "\n\n" + lines,
		"64 KiB":         head(t, 1) + long,
		"extension":      strings.Replace(head(t, 1), "records 10\n", "records 10\nmore\n", 1),
		"no cursor":      strings.Replace(head(t, 1), "cursor ", "", 1),
		"coarse cursor":  strings.Replace(head(t, 1), ".000000Z", "Z", 1),
		"another zone":   strings.Replace(head(t, 1), ".000000Z", ".000000+00:00", 1),
		"leading zero":   strings.Replace(head(t, 1), "\n1\n", "\n01\n", 1),
		"size 0":         strings.Replace(head(t, 1), "\n1\n", "\n0\n", 1),
		"empty name":     head(t, 1) + "—  AAAAAQID\n",
		"short":          head(t, 1) + "— w AAAA\n",
		"other dash":     head(t, 1) + "- w AAAAAQID\n",
		"empty line":     head(t, 1) + "\n",
	} {
		if h, err := seal.ReadHead(text); err == nil {
			t.Errorf("%s: it is read as %+v", what, h)
		}
	}
	// A witness signs under its own name, and a reader ignores that signature.
	if _, by, err := seal.OpenHead(head(t, 1)+"— witness.example/w AAAAAQID\n", origin, public(1)); err != nil || len(by) != 1 {
		t.Errorf("with a witness: %v", err)
	}
}
