package config_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/checkpoint/seal"
	"github.com/houndtrail/houndtrail/config"
)

func keyPEM(t *testing.T, n byte) string {
	t.Helper()
	text, err := seal.PrivatePEM(checkpointtest.Key(n), fmt.Sprintf("key %d", n))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestSigningKeys: the keys come from a variable or a file, in their order, and only for a command that commits.
func TestSigningKeys(t *testing.T) {
	t.Parallel()
	one, two := keyPEM(t, 1), keyPEM(t, 2)
	name := filepath.Join(t.TempDir(), "key.pem")
	write := func(text string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(name, mode); err != nil { // for any umask
			t.Fatal(err)
		}
	}
	write(one+two, 0o640)
	for _, environ := range [][]string{
		with(minimal(), "SIGNING_KEY="+one+two), with(minimal(), "SIGNING_KEY_FILE="+name),
	} {
		keys, err := load(t, environ).SigningKey.Keys()
		if err != nil || len(keys) != 2 || !keys[0].Equal(checkpointtest.Key(1)) || !keys[1].Equal(checkpointtest.Key(2)) {
			t.Errorf("%d keys, %v", len(keys), err)
		}
	}
	if keys, err := load(t, minimal()).SigningKey.Keys(); err != nil || keys != nil {
		t.Errorf("without the variable: %v, %v", keys, err)
	}
	for _, mode := range []os.FileMode{0o644, 0o604, 0o660, 0o602} {
		write(one, mode)
		got := problems(t, with(minimal(), "SIGNING_KEY_FILE="+name), config.NeedExport)
		if want := fmt.Sprintf("%04o", mode); runtime.GOOS != "windows" && (!strings.Contains(got, want) || !strings.Contains(got, "chmod 600")) {
			t.Errorf("mode %s: %q", want, got)
		}
		if got := problems(t, with(minimal(), "SIGNING_KEY_FILE="+name), config.NeedLook); got != "" {
			t.Errorf("a command that only looks opens the file: %q", got)
		}
	}
}

// TestBadSigningKeys: if a text is no Ed25519 private key, it is refused, and no message has a part of it.
func TestBadSigningKeys(t *testing.T) {
	t.Parallel()
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(other)
	if err != nil {
		t.Fatal(err)
	}
	one := keyPEM(t, 1)
	_, secret, _ := strings.Cut(one, "-----BEGIN PRIVATE KEY-----\n")
	secret = secret[:40]
	public := string(seal.PublicOf(checkpointtest.Key(1)).PEM(""))
	for _, c := range []struct{ what, text, want string }{
		{"another kind of key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), "only Ed25519"},
		{"a public key", public, "houndtrail keygen|no private key"},
		{"a second one that is public", one + public, "key 2"},
		{"a key twice", one + one, "twice"},
		{"base64 without its lines", secret, "no PEM block"},
		{"a key cut off", one[:len(one)-30], "no PEM block"},
		{"a seed", string(checkpointtest.Key(1).Seed()), "no PEM block"},
	} {
		got := problems(t, with(minimal(), "SIGNING_KEY="+c.text), config.NeedExport)
		says := false
		for want := range strings.SplitSeq(c.want, "|") {
			says = says || strings.Contains(got, want)
		}
		if !says || !strings.Contains(got, "HOUNDTRAIL_SIGNING_KEY:") {
			t.Errorf("%s: %q", c.what, got)
		}
		for i := 0; i+12 <= len(secret); i++ {
			if strings.Contains(got, secret[i:i+12]) {
				t.Fatalf("%s: the key is in %q", c.what, got)
			}
		}
	}
	if got := fmt.Sprintf("%v %+v %#v", load(t, with(minimal(), "SIGNING_KEY="+one)), config.SigningKeys{}, load(t, with(minimal(), "SIGNING_KEY="+one)).SigningKey); strings.Contains(got, secret) {
		t.Error("the key is printed")
	}
}

// TestVerifyKeys: a file has one public key, or several of a rotation, and no other content.
func TestVerifyKeys(t *testing.T) {
	t.Parallel()
	write := func(text string) config.PublicKeys {
		path := filepath.Join(t.TempDir(), "keys.pem")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return config.PublicKeys(path)
	}
	public := func(n byte) string {
		der, err := x509.MarshalPKIXPublicKey(checkpointtest.Key(n).Public())
		if err != nil {
			t.Fatal(err)
		}
		return "owner\n" + string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	}
	for text, want := range map[string]int{public(1): 1, public(1) + public(2): 2} {
		if keys, err := write(text).Keys(); err != nil || len(keys) != want {
			t.Errorf("%d keys, %v; want %d", len(keys), err, want)
		}
	}
	for text, want := range map[string]string{"": "it has no PEM block", public(1) + keyPEM(t, 2): "key 2: "} {
		if keys, err := write(text).Keys(); err == nil || !strings.Contains(err.Error(), want) || len(keys) > 0 {
			t.Errorf("%d keys, %v; want an error with %q", len(keys), err, want)
		}
	}
	if keys, err := config.PublicKeys("").Keys(); len(keys) > 0 || err != nil {
		t.Errorf("no file: %d keys, %v", len(keys), err)
	}
}
