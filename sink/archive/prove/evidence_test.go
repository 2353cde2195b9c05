package prove_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/checkpoint/seal"
	"github.com/houndtrail/houndtrail/sink/archive/prove"
)

// A party is a third party: it has a folder, and no program of ours.
type party struct {
	*testing.T

	dir string
}

func (p party) file(name string, content []byte) string {
	p.Helper()
	path := filepath.Join(p.dir, name)
	check(p, os.WriteFile(path, content, 0o600))
	return path
}

// checks runs the script of the documents.
func (p party) checks(want int, says string, b *seal.Bundle, args ...string) {
	p.Helper()
	proof, err := b.Encode()
	check(p, err)
	args = append([]string{filepath.Join("..", "..", "..", "docs", "evidence-check.py"), p.file("proof.json", proof)}, args...)
	out, err := exec.CommandContext(p.Context(), "python3", args...).CombinedOutput()
	code := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	} else {
		check(p, err)
	}
	if code != want || !strings.Contains(string(out), says) {
		p.Errorf("the exit code is %d, want %d and %q:\n%s", code, want, says, out)
	}
}

// keyFile writes the file of a public key.
func (p party) keyFile(n byte) string {
	p.Helper()
	return p.file(fmt.Sprintf("key%d.pub.pem", n), seal.PublicOf(checkpointtest.Key(n)).PEM(""))
}

// TestThirdParty: the script of the documents accepts the proofs of a real archive in each format, before and after a compaction.
// It accepts them with each key that signed, and with no other key.
func TestThirdParty(t *testing.T) {
	t.Parallel()
	checkpointtest.NeedsPrograms(t, "python3", "openssl")
	for format := range encoders {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			p := party{t, t.TempDir()}
			w := newWorld(t, format, checkpointtest.Key(1))
			w.export(3, 9*time.Hour, 3)
			proof := func() *seal.Bundle {
				made, err := prove.Record(t.Context(), w.options(2))
				check(t, err)
				return made.Bundle
			}
			says := fmt.Sprintf("The record is proved: 1:2,16:%d,", w.delivered[1].CreatedAt.UnixMicro())
			body, _, _, err := w.files.Get(t.Context(), w.delivered[1].object)
			check(t, err)
			p.checks(0, says, proof(), p.keyFile(1), p.file("object", body))
			p.checks(6, "WRONG  your key signed", proof(), p.keyFile(2))

			w.keys = append(w.keys, checkpointtest.Key(2))
			w.export(3, 9*time.Hour, 3)
			w.rescan(day1.Add(time.Minute), time.Hour, 2)
			w.compact()
			p.checks(0, says, proof(), p.keyFile(1))
			p.checks(0, says, proof(), p.keyFile(2))
			p.checks(6, "WRONG  your key signed", proof(), p.keyFile(3))
		})
	}
}

// mutations are changes of a proof, each with the words of the script when it refuses the proof.
var mutations = map[string]func(b *seal.Bundle){
	"your key signed":         func(b *seal.Bundle) { b.Head = strings.Replace(b.Head, "\nrecords ", "\nrecords 1", 1) },
	"the path of the entry":   func(b *seal.Bundle) { b.Inclusion.Size++ },
	"the entry is leaf":       func(b *seal.Bundle) { b.Entry[30] ^= 1 },
	"the entry is leaf 1":     func(b *seal.Bundle) { b.Inclusion.Hashes[0][5] ^= 1 },
	"the entry is leaf 0":     func(b *seal.Bundle) { b.Inclusion.Index-- },
	"says that it is entry":   func(b *seal.Bundle) { b.Serial++ },
	"of that journal":         func(b *seal.Bundle) { b.Origin += "0" },
	"names the object once":   func(b *seal.Bundle) { b.Object.Key = strings.Replace(b.Object.Key, "2026", "2025", 1) },
	"its SHA-256":             func(b *seal.Bundle) { b.Object.SHA256 = strings.Repeat("0", 64) },
	"the object has":          func(b *seal.Bundle) { b.Record.Size++ },
	"the record is row":       func(b *seal.Bundle) { b.Record.Row[9] ^= 1 },
	"the record is row 0":     func(b *seal.Bundle) { b.Record.Index = 0 },
	"the record is row 1":     func(b *seal.Bundle) { b.Record.Hashes = b.Record.Hashes[1:] },
	"its id is":               func(b *seal.Bundle) { b.Record.ID++ },
	"the proof has format":    func(b *seal.Bundle) { b.Format++ },
	"the proof is not readab": func(b *seal.Bundle) { b.Head = "" },
}

// TestMutations: the script and the program both refuse a changed proof.
func TestMutations(t *testing.T) {
	t.Parallel()
	checkpointtest.NeedsPrograms(t, "python3", "openssl")
	p := party{t, t.TempDir()}
	w := newWorld(t, "parquet", checkpointtest.Key(1))
	w.export(5, 6*time.Hour, 3)
	w.compact()
	made, err := prove.Record(t.Context(), w.options(5))
	check(t, err)
	text, err := made.Encode()
	check(t, err)
	for says, change := range mutations {
		b, err := seal.ReadBundle(text)
		check(t, err)
		change(b)
		p.checks(6, says, b, p.keyFile(1))
		if _, err := b.Check(w.public()...); err == nil {
			t.Errorf("%s: the script refuses it, and we accept it", says)
		}
	}
	const step = 7
	for at := 0; at < strings.LastIndex(string(text), `"keys"`); at += step { // the keys prove nothing
		changed := slices.Clone(text)
		changed[at] ^= 1
		b, err := seal.ReadBundle(changed)
		if err == nil {
			_, err = b.Check(w.public()...)
		}
		if err == nil {
			t.Errorf("byte %d was changed, and the proof still holds: %.60q", at, changed[max(0, at-30):])
		}
	}
}

// TestByHand: the commands of the documents, in their order, prove a record. They give the same roots as the head and the entry.
func TestByHand(t *testing.T) {
	t.Parallel()
	checkpointtest.NeedsPrograms(t, "sh", "python3", "openssl", "jq", "sed", "grep", "base64", "od", "sha256sum")
	p := party{t, t.TempDir()}
	w := newWorld(t, "parquet", checkpointtest.Key(1), checkpointtest.Key(2))
	w.export(5, 6*time.Hour, 3)
	w.compact()
	made, err := prove.Record(t.Context(), w.options(9))
	check(t, err)
	proof, err := made.Encode()
	check(t, err)
	p.file("proof.json", proof)
	p.file("journal.pub.pem", seal.PublicOf(checkpointtest.Key(2)).PEM(""))
	for _, name := range []string{"evidence-check.py", "verify.md"} {
		body, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", name))
		check(t, err)
		p.file(name, body)
	}
	text, err := os.ReadFile(filepath.Join(p.dir, "verify.md"))
	check(t, err)
	_, section, _ := strings.Cut(string(text), "\n### Without Houndtrail\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var commands strings.Builder
	for _, block := range strings.Split(section, "```sh\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		commands.WriteString(block)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", commands.String())
	cmd.Dir = p.dir
	out, err := cmd.CombinedOutput()
	head, headErr := seal.ReadHead(made.Head)
	check(t, headErr)
	object := made.Object.Key
	want := []string{"The record is proved: 1:9,", "Signature Verified Successfully\n" + strings.Repeat(head.Root.Base64()+"\n", 2)}
	for s, err := range w.journal(archived).Entries(t.Context()) {
		check(t, err)
		for _, o := range s.Objects {
			if o.Key == object {
				want = append(want, strings.Repeat(o.RecordsRoot.Base64()+"\n", 2)+fmt.Sprintln(o.Records)+"1:9,")
			}
		}
	}
	for _, says := range want {
		if err != nil || len(want) != 3 || !strings.Contains(string(out), says) {
			t.Errorf("%v, and want %q:\n%s", err, says, out)
		}
	}
}
