package seal_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/houndtrail/houndtrail/checkpoint/seal"
)

// FuzzHead: a head that was read is written again with the same bytes. Only the signed bytes are a head of our key.
func FuzzHead(f *testing.F) {
	for size := uint64(1); size <= newest; size++ {
		f.Add(head(f, size))
	}
	bare, _, _ := strings.Cut(head(f, newest), "\n\n")
	f.Add(bare + "\n")
	f.Add(head(f, newest) + "— witness.example/w AAAAAQIDBAUG\n")
	f.Add(strings.Replace(head(f, 3), "\n3\n", "\n03\n", 1))
	f.Add(strings.Replace(head(f, 3), "\n3\n", "\n18446744073709551615\n", 1))
	f.Add(strings.Replace(head(f, 3), "records 33", "records -33", 1))
	f.Add(strings.Replace(head(f, 3), "cursor 2026", "cursor 12026", 1))
	f.Add(strings.Repeat("x", 65<<10))
	f.Add("\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		h, err := seal.ReadHead(text)
		if err != nil {
			return
		}
		if h.Note() != text || !strings.HasPrefix(text, h.Text()) || h.Size == 0 || seal.CheckOrigin(h.Origin) != nil {
			t.Fatalf("%q is read as %q", text, h.Note())
		}
		switch by, err := h.SignedBy(public(1)); {
		case err == nil && (len(by) != 1 || h.Size > newest || h.Text() != mustRead(t, head(t, h.Size)).Text()):
			t.Fatalf("%q is a head of our key", text)
		case err != nil && h.Signed() == errors.Is(err, seal.ErrUnsigned):
			t.Fatalf("%q: %v", text, err)
		}
	})
}

func mustRead(t *testing.T, text string) *seal.SignedHead {
	t.Helper()
	return must[*seal.SignedHead](t)(seal.ReadHead(text))
}

// FuzzEntry: an entry that was read has the leaf of its bytes. Only the signed bytes are an entry of our key.
func FuzzEntry(f *testing.F) {
	for serial := uint64(1); serial <= newest; serial++ {
		f.Add(line(f, serial))
	}
	whole := line(f, newest)
	at := bytes.LastIndex(whole, []byte(`,"signatures":`))
	f.Add(append(bytes.Clone(whole[:at]), "}\n"...))
	f.Add(append(bytes.Clone(whole[:at]), ",\"signatures\":[]}\n"...))
	f.Add(append(bytes.Clone(whole[:at]), ",\"signatures\":[\"— x AAAAAAAA\"],\"signatures\":[\"— x AAAAAAAA\"]}\n"...))
	f.Add([]byte("{}\n"))
	f.Add([]byte(`{"serial":18446744073709551615,"seal":{"size":18446744073709551614}}` + "\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := seal.ReadEntry(body)
		if err != nil {
			return
		}
		if e.Leaf != seal.Leaf(body) || e.Serial != e.Seal.Size+1 || e.After().Size() != e.Serial {
			t.Fatalf("%q is read as %+v", body, e)
		}
		if !e.Signed() {
			signed := must[[]byte](t)(seal.SignEntry(body, e.Seal.Origin, e.Serial, seal.NewSigner(e.Seal.Origin, private(1))))
			again, err := seal.ReadEntry(signed)
			if err != nil {
				t.Fatalf("%q is signed as %q: %v", body, signed, err)
			}
			if _, err := again.SignedBy(public(1)); err != nil {
				t.Fatalf("%q is signed as %q: %v", body, signed, err)
			}
			return
		}
		if _, err := e.SignedBy(public(1)); err != nil {
			return
		}
		ours := line(t, min(e.Serial, newest))
		if marker := []byte(`,"signatures":`); !bytes.Equal(body[:bytes.LastIndex(body, marker)], ours[:bytes.LastIndex(ours, marker)]) {
			t.Fatalf("%q is an entry of our key", body)
		}
	})
}

// FuzzBundle: a bundle proves only the record that is in the journal.
func FuzzBundle(f *testing.F) {
	f.Add(vector(f, "proof.json"))
	f.Add(bytes.Replace(vector(f, "proof.json"), []byte(`"size": 7`), []byte(`"size": 9223372036854775807`), 1))
	f.Add([]byte(`{"houndtrail_proof":1}`))
	r := records()[2]
	row := rowOf(&r)
	f.Fuzz(func(t *testing.T, body []byte) {
		b, err := seal.ReadBundle(body)
		if err != nil {
			return
		}
		proved, err := b.Check(public(1))
		if err == nil && (!bytes.Equal(b.Record.Row, row) || proved.Row.ID != r.ID || !bytes.Equal(b.Entry, line(t, 3)) || b.Object.Key != object) {
			t.Fatalf("%q proves %+v", body, proved)
		}
	})
}

// FuzzProof: a tlog-proof that was read is written again with the same bytes.
func FuzzProof(f *testing.F) {
	text := string(vector(f, "entry3.tlog-proof"))
	f.Add(text)
	f.Add(strings.Replace(text, "index 2", "index 02", 1))
	f.Add(strings.Replace(text, "index 2", "index 18446744073709551615", 1))
	f.Add("c2sp.org/tlog-proof@v1\nindex 0\n\n" + head(f, 1))
	f.Add("c2sp.org/tlog-proof@v1\n\n" + head(f, 1))
	f.Fuzz(func(t *testing.T, text string) {
		p, h, err := seal.ReadProof(text)
		if err != nil {
			return
		}
		if p.Text(h.Note()) != text {
			t.Fatalf("%q is written as %q", text, p.Text(h.Note()))
		}
		_ = p.Check(entry(t, 3).Leaf, h.Root) // it ends for any sizes
	})
}

// FuzzRow: row bytes have one reading, and each reading has one spelling.
func FuzzRow(f *testing.F) {
	for _, row := range strings.SplitAfter(string(vector(f, "object.bin")), "\n") {
		f.Add([]byte(strings.TrimSuffix(row, "\n")))
	}
	f.Add([]byte("1:1,1:2,99999999999999999999:x,"))
	f.Add([]byte("1:1,1:2,-,-,0:,"))
	f.Fuzz(func(t *testing.T, row []byte) {
		if r, err := seal.ParseRow(row); err == nil && !bytes.Equal(seal.AppendRow(nil, r.ID, r.CreatedAtMicros, r.Columns...), row) {
			t.Fatalf("%q has two spellings", row)
		}
	})
}

// FuzzKeys: key files and key texts that were read are written again as the same key, and no error repeats a file.
func FuzzKeys(f *testing.F) {
	for _, name := range []string{"key1.pem", "key2.pub.pem"} {
		f.Add(vector(f, name))
		f.Add(append([]byte("made by hand\n"), vector(f, name)...))
		f.Add(append(vector(f, name), vector(f, name)...))
	}
	text := must[[]byte](f)(public(1).MarshalText())
	f.Add(text)
	f.Fuzz(func(t *testing.T, file []byte) {
		if key, err := seal.ParsePrivateKey(file); err == nil {
			again := must[[]byte](t)(seal.PrivatePEM(key, ""))
			if back, err := seal.ParsePrivateKey(again); err != nil || !back.Equal(key) {
				t.Fatalf("%q comes back as %v", file, err)
			}
		}
		if key, err := seal.ParsePublicKey(file); err == nil && must[seal.PublicKey](t)(seal.ParsePublicKey(key.PEM("x"))) != key {
			t.Fatalf("%q comes back as another key", file)
		}
		var key seal.PublicKey
		if err := key.UnmarshalText(file); err == nil && string(must[[]byte](t)(key.MarshalText())) != string(file) {
			t.Fatalf("%q has two spellings", file)
		}
	})
}

// FuzzTile: a tile's name has one reading, and each reading has one name.
func FuzzTile(f *testing.F) {
	for _, path := range []string{"tile/0/000", "tile/0/x001/x234/067", "tile/1/000.p/3", "tile/6/000", "tile/0/x999/x999/x999/x999/x999/x999/999"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if tile, err := seal.ParseTile(path); err == nil && (tile.Path() != path || tile.Width < 1 || len(tile.Nodes()) != tile.Width) {
			t.Fatalf("%q is read as %+v", path, tile)
		}
	})
}
