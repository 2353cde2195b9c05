package seal_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/checkpoint/seal"
)

func exitOf(err error) int {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	return 0
}

// TestEvidenceCheck: the script of the documents shares no code with Houndtrail. It accepts the proofs that Houndtrail accepts,
// and no other proof.
func TestEvidenceCheck(t *testing.T) {
	t.Parallel()
	checkpointtest.NeedsPrograms(t, "python3", "openssl")
	script := filepath.Join("..", "..", "docs", "evidence-check.py")
	vectors := filepath.Join("testdata", "vectors")
	check := func(want int, says string, args ...string) {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), "python3", append([]string{script}, args...)...).CombinedOutput()
		if exitOf(err) != want || !strings.Contains(string(out), says) {
			t.Errorf("evidence-check.py %s: exit code %d, want %d and %q:\n%s", args, exitOf(err), want, says, out)
		}
	}
	proof := filepath.Join(vectors, "proof.json")
	key1, key2 := filepath.Join(vectors, "key1.pub.pem"), filepath.Join(vectors, "key2.pub.pem")
	check(0, "The record is proved: 7:1203860,", proof, key1, filepath.Join(vectors, "object.bin"))
	check(0, "The record is proved: 7:1203860,", proof, key2)
	check(6, "WRONG  the file", proof, key1, proof)
	check(1, "nothing was checked", proof, proof)
	check(1, "nothing was checked", proof, "missing.pem")
	check(1, "evidence-check.py PROOF.json")

	stranger := filepath.Join(t.TempDir(), "stranger.pub.pem")
	if err := os.WriteFile(stranger, seal.PublicOf(key(99)).PEM("name: stranger"), 0o600); err != nil {
		t.Fatal(err)
	}
	check(6, "WRONG  your key signed", proof, stranger)

	for what, change := range map[string]func(*seal.Bundle){
		"your key signed":   func(b *seal.Bundle) { b.Head = strings.Replace(b.Head, "records 253", "records 254", 1) },
		"the path":          func(b *seal.Bundle) { b.Inclusion.Size++ },
		"the entry is leaf": func(b *seal.Bundle) { b.Entry[20] ^= 1 },
		"the entry is leaf 2": func(b *seal.Bundle) {
			b.Inclusion.Hashes = append(b.Inclusion.Hashes, seal.Hash{})
		},
		"says that it is entry":   func(b *seal.Bundle) { b.Serial++ },
		"names the object once":   func(b *seal.Bundle) { b.Object.Key += "x" },
		"the object has":          func(b *seal.Bundle) { b.Record.Size++ },
		"the record is row":       func(b *seal.Bundle) { b.Record.Row[3] ^= 1 },
		"its id is":               func(b *seal.Bundle) { b.Record.ID++ },
		"the proof is not readab": func(b *seal.Bundle) { b.Head = "" },
	} {
		b := must[*seal.Bundle](t)(seal.ReadBundle(vector(t, "proof.json")))
		change(b)
		path := filepath.Join(t.TempDir(), "proof.json")
		if err := os.WriteFile(path, must[[]byte](t)(b.Encode()), 0o600); err != nil {
			t.Fatal(err)
		}
		check(6, what, path, key1)
		if _, err := b.Check(public(1)); err == nil {
			t.Errorf("%s: the script refuses it, and we accept it", what)
		}
	}
	twice := bytes.Replace(vector(t, "proof.json"), []byte(`"serial": 3`), []byte(`"serial": 3, "Serial": 3`), 1)
	path := filepath.Join(t.TempDir(), "proof.json")
	if err := os.WriteFile(path, twice, 0o600); err != nil {
		t.Fatal(err)
	}
	check(6, "a key is there twice", path, key1)
}

// TestByHand checks a head and a leaf with only a shell and openssl.
func TestByHand(t *testing.T) {
	t.Parallel()
	checkpointtest.NeedsPrograms(t, "sh", "sed", "grep", "sha256sum", "openssl")
	const script = `set -e
vectors=$1 dir=$2 key=$3
id=$( (printf '%s\n\001' "$(sed 1q "$vectors/head.7")"; openssl pkey -pubin -in "$vectors/$key.pub.pem" -outform DER | tail -c 32) | sha256sum | cut -c1-8)
sed '/^$/,$d' "$vectors/head.7" >"$dir/msg"
grep '^—' "$vectors/head.7" | cut -d' ' -f3 | while read -r sig; do
  if [ "$(printf %s "$sig" | base64 -d | head -c 4 | od -An -tx1 | tr -d ' ')" = "$id" ]; then printf %s "$sig" | base64 -d | tail -c 64 >"$dir/sig"; fi
done
openssl pkeyutl -verify -pubin -inkey "$vectors/$key.pub.pem" -rawin -in "$dir/msg" -sigfile "$dir/sig"
(printf '\0'; cat "$vectors/00000000000000000007.json") | sha256sum
`
	for _, name := range []string{"key1", "key2"} {
		out, err := exec.CommandContext(t.Context(), "sh", "-c", script, "sh", filepath.Join("testdata", "vectors"), t.TempDir(), name).CombinedOutput()
		leaf := fmt.Sprintf("%x", entry(t, newest).Leaf)
		if err != nil || !strings.Contains(string(out), "Signature Verified Successfully\n"+leaf) {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

// TestOpensslMakesKeys: a key of openssl signs, and openssl reads ours.
func TestOpensslMakesKeys(t *testing.T) {
	t.Parallel()
	checkpointtest.NeedsPrograms(t, "openssl")
	theirs, err := exec.CommandContext(t.Context(), "openssl", "genpkey", "-algorithm", "ed25519").Output()
	if err != nil {
		t.Fatal(err)
	}
	key, err := seal.ParsePrivateKey(theirs)
	if err != nil {
		t.Fatal(err)
	}
	ours := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(ours, must[[]byte](t)(seal.PrivatePEM(key, "name: acme\ndate: today")), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "openssl", "pkey", "-in", ours, "-pubout").Output()
	if err != nil || string(out) != string(seal.PublicOf(key).PEM("")) {
		t.Errorf("openssl reads it as\n%s (%v)", out, err)
	}
}
