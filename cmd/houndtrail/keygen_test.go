package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint/seal"
)

// TestKeygenKeepsTheSecret: only the owner can read the private key, each run makes another one, and the files fit together.
func TestKeygenKeepsTheSecret(t *testing.T) {
	t.Parallel()
	made := map[seal.PublicKey]bool{}
	for range 3 {
		path := filepath.Join(t.TempDir(), "signing.key")
		var out bytes.Buffer
		p := &program{stdout: &out, stderr: &out, now: func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.FixedZone("", 3600)) }}
		if code := p.main(t.Context(), []string{"keygen", path}); code != 0 {
			t.Fatalf("exit code %d: %s", code, out.String())
		}
		public := strings.TrimSuffix(path, ".key") + ".pub.pem"
		for file, want := range map[string]os.FileMode{path: 0o600, public: 0o644} {
			if info, err := os.Stat(file); err != nil || info.Mode().Perm()&^want != 0 {
				t.Errorf("%s has the mode %v, want %v (%v)", file, info.Mode(), want, err)
			}
		}
		secret, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		key, err := seal.ParsePrivateKey(secret)
		if err != nil {
			t.Fatal(err)
		}
		shown, err := os.ReadFile(public)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := seal.ParsePublicKey(shown); err != nil || got != seal.PublicOf(key) || made[got] {
			t.Errorf("the public key is %x (%v), and the private one another, or the same as before", got, err)
		}
		made[seal.PublicOf(key)] = true
		if lines := strings.Split(string(secret), "\n"); strings.Contains(out.String(), lines[len(lines)-3]) ||
			!strings.Contains(out.String(), seal.PublicOf(key).Fingerprint()) || !strings.Contains(string(shown), "\ndate: 2026-03-01T11:00:00Z\n") {
			t.Errorf("it prints\n%s and the public file is\n%s", out.String(), shown)
		}
	}
}
