package seal_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/houndtrail/houndtrail/checkpoint/seal"
	"github.com/houndtrail/houndtrail/exporter/record"
)

// Another program made the vectors from the specification. They are seven entries of one journal. Key 1 signs the first five, and
// both keys sign the last two.
const (
	origin  = "acme.example/houndtrail/archive/6f1c6a0e8b1f4c3b"
	newest  = 7
	rotated = 6 // the first entry that both keys sign
	object  = "audit/tenant=acme.example/dt=2026-03-01/20260301T100000.000000Z.parquet"
)

func vector(t testing.TB, name string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", "vectors", name))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func line(t testing.TB, serial uint64) []byte {
	t.Helper()
	return vector(t, fmt.Sprintf("%020d.json", serial))
}

func head(t testing.TB, size uint64) string {
	t.Helper()
	return string(vector(t, fmt.Sprintf("head.%d", size)))
}

func entry(t testing.TB, serial uint64) *seal.Entry {
	t.Helper()
	e, err := seal.ReadEntry(line(t, serial))
	if err != nil {
		t.Fatalf("entry %d: %v", serial, err)
	}
	return e
}

// key is the private key whose seed counts up from that byte.
func key(first byte) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	for i := range seed {
		seed[i] = first + byte(i)
	}
	return ed25519.NewKeyFromSeed(seed)
}

func private(n int) ed25519.PrivateKey { return key(byte(32 * (n - 1))) }

func public(n int) seal.PublicKey { return seal.PublicOf(private(n)) }

// signers returns the keys that sign the entry of that serial.
func signers(serial uint64) []seal.Signer {
	both := []seal.Signer{seal.NewSigner(origin, private(1)), seal.NewSigner(origin, private(2))}
	if serial < rotated {
		return both[:1]
	}
	return both
}

// entries reads the journal of the vectors.
func entries(t testing.TB) seal.Nodes {
	t.Helper()
	return seal.FromEntries(func(serials []uint64) ([]*seal.Entry, error) {
		var list []*seal.Entry
		for _, serial := range serials {
			list = append(list, entry(t, serial))
		}
		return list, nil
	})
}

// failing is the part of a test that must uses.
type failing interface {
	Helper()
	Fatal(args ...any)
}

func must[T any](t failing) func(T, error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// TestVectorsOfEntries reads each entry and each head, and makes it again from its parts with the same bytes.
func TestVectorsOfEntries(t *testing.T) {
	t.Parallel()
	var tree seal.Frontier
	previous := ""
	for i, want := range []struct {
		bytes      int
		leaf, root string
	}{
		{371, "bf9de77e…7dff3c", "v53nfnS0KK36Bsd3bTHInOnkaM+SpSjZipNVWcd9/zw="},
		{787, "53f9bea4…f7c21c", "ZjOJOL2n9fYi8/ifPUw47Sh2z8bzelAaelqy+LXBW5o="},
		{1030, "acd495f2…c53fab", "bXCmJG4mW3OUbUfGkxFc35/9pDjytXRlZNcDGsqZUjw="},
		{834, "649f9e5a…4ce8ce", "US+sDrB7cdaGI/AWc23MpafNhFKa9ugChPVzKvRdYNo="},
		{788, "c8a234e3…382599", "b0xgCfohcWCjU1xeoVsidyd+NCRZoBKQdKXydg1vtr0="},
		{984, "3e9702a9…dc5a56", "VBeSxYmGzdg93Bs2QM++OOJkjanZOTS0XfsFeitw31s="},
		{1131, "2286de4c…3a5481", "z+dUtjXwwtOL3qi73v9PcJHKHVcT9YQM5wJwXQMgamo="},
	} {
		serial := uint64(i + 1)
		body, e := line(t, serial), entry(t, serial)
		if hex := fmt.Sprintf("%x", e.Leaf); len(body) != want.bytes || !fits(hex, want.leaf) {
			t.Errorf("entry %d has %d bytes and the leaf %s, want %d and %s", serial, len(body), hex, want.bytes, want.leaf)
		}
		made := must[seal.Seal](t)(seal.NewSeal(origin, &tree, previous))
		if diff := cmp.Diff(e.Seal, made); diff != "" {
			t.Errorf("the seal of entry %d (-want +got):\n%s", serial, diff)
		}
		at := bytes.LastIndex(body, []byte(`,"signatures":`))
		if rendered := append([]byte(`,"seal":`), must[[]byte](t)(json.Marshal(made))...); !bytes.HasSuffix(body[:at], rendered) {
			t.Errorf("entry %d does not end with its seal", serial)
		}
		unsigned := append(bytes.Clone(body[:at]), "}\n"...)
		if again := must[[]byte](t)(seal.SignEntry(unsigned, origin, serial, signers(serial)...)); !bytes.Equal(again, body) {
			t.Errorf("signed again, entry %d is\n%s", serial, again)
		}
		tree.Append(e.Leaf)
		if got := tree.Root().Base64(); got != want.root || e.After().Root().Base64() != want.root {
			t.Errorf("the root of %d is %s, want %s", serial, got, want.root)
		}
		previous = checkHead(t, body, &tree)
	}
}

// checkHead compares the head of a tree with its vector, and returns it. body is the newest entry.
func checkHead(t *testing.T, body []byte, tree *seal.Frontier) string {
	t.Helper()
	var said struct {
		Cursor  time.Time `json:"cursor"`
		Records uint64    `json:"records_total"`
	}
	if err := json.Unmarshal(body, &said); err != nil {
		t.Fatal(err)
	}
	want := head(t, tree.Size())
	made := seal.Head{Origin: origin, Size: tree.Size(), Root: tree.Root(), Cursor: said.Cursor, Records: said.Records}
	if got := must[string](t)(made.Sign(signers(tree.Size())...)); got != want {
		t.Errorf("the head of %d is\n%s\nwant\n%s", tree.Size(), got, want)
	}
	opened, by, err := seal.OpenHead(want, origin, public(2), public(1))
	if err != nil || len(by) != len(signers(tree.Size())) || by[0] != public(1) || opened.Note() != want {
		t.Errorf("the head of %d is signed by %x: %v", tree.Size(), by, err)
	}
	if diff := cmp.Diff(made, opened.Head); diff != "" {
		t.Errorf("the head of %d (-want +got):\n%s", tree.Size(), diff)
	}
	return want
}

func TestVectorsOfKeys(t *testing.T) {
	t.Parallel()
	for n, vkey := range map[int]string{
		1: origin + "+0bd013be+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4",
		2: origin + "+6c1e5a70+ASmsuuFBvMrwsi4alNNNC8c2HlJtC/4SyJeUvJMilm3X",
	} {
		secret, open := vector(t, fmt.Sprintf("key%d.pem", n)), vector(t, fmt.Sprintf("key%d.pub.pem", n))
		if got := must[ed25519.PrivateKey](t)(seal.ParsePrivateKey(secret)); !got.Equal(private(n)) {
			t.Errorf("key %d is another one", n)
		}
		if got := must[seal.PublicKey](t)(seal.ParsePublicKey(open)); got != public(n) {
			t.Errorf("public key %d is another one", n)
		}
		if got := must[[]byte](t)(seal.PrivatePEM(private(n), "")); !bytes.Equal(got, secret) {
			t.Errorf("private key %d is written\n%s", n, got)
		}
		if got := public(n).PEM(""); !bytes.Equal(got, open) {
			t.Errorf("public key %d is written\n%s", n, got)
		}
		got := must[string](t)(public(n).VerifierKey(origin))
		if got != vkey || got+"\n" != string(vector(t, fmt.Sprintf("key%d.vkey", n))) {
			t.Errorf("the verifier key %d is %s", n, got)
		}
		if id := fmt.Sprintf("+%08x+", public(n).ID(origin)); !strings.Contains(vkey, id) {
			t.Errorf("the id of key %d is %s", n, id)
		}
	}
}

func TestVectorsOfProofs(t *testing.T) {
	t.Parallel()
	var empty seal.Frontier
	if got := empty.Root().Base64(); got != "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" {
		t.Errorf("the empty tree has the root %s", got)
	}
	if f := entry(t, 3).After().Hashes(); len(f) != 2 || f[0] != entry(t, 2).After().Root() || f[1] != entry(t, 3).Leaf {
		t.Errorf("the frontier of 3 is %x", f)
	}
	f := entry(t, newest).After().Hashes()
	if hex := fmt.Sprintf("%x", f); len(f) != 3 || !strings.HasPrefix(hex, "[512fac0e") || f[0] != entry(t, 4).After().Root() ||
		!strings.Contains(hex, " c52799d6") || !strings.Contains(hex, "c3a20e ") || f[2] != entry(t, newest).Leaf {
		t.Errorf("the frontier of 7 is %s", hex)
	}

	var last seal.Hash
	if err := last.UnmarshalText([]byte("gbmvG7bcYjA94VFyxq9018tBA8VIm59wGZi64elO0wM=")); err != nil {
		t.Fatal(err)
	}
	inclusion := must[seal.Inclusion](t)(seal.ProveInclusion(2, newest, entries(t)))
	want := seal.Inclusion{Index: 2, Size: newest, Hashes: []seal.Hash{entry(t, 4).Leaf, entry(t, 2).After().Root(), last}}
	if diff := cmp.Diff(want, inclusion); diff != "" {
		t.Errorf("the inclusion (-want +got):\n%s", diff)
	}
	root := entry(t, newest).After().Root()
	if err := inclusion.Check(entry(t, 3).Leaf, root); err != nil {
		t.Error(err)
	}

	consistency := must[seal.Consistency](t)(seal.ProveConsistency(3, newest, entries(t)))
	var read seal.Consistency
	if err := json.Unmarshal(vector(t, "consistency.json"), &read); err != nil {
		t.Fatal(err)
	}
	grown := seal.Consistency{Old: 3, New: newest, Hashes: []seal.Hash{entry(t, 3).Leaf, entry(t, 4).Leaf, entry(t, 2).After().Root(), last}}
	if diff := cmp.Diff(grown, consistency) + cmp.Diff(grown, read); diff != "" {
		t.Errorf("the consistency (-want +got):\n%s", diff)
	}
	if err := read.Check(entry(t, 3).After().Root(), root); err != nil {
		t.Error(err)
	}

	text := string(vector(t, "entry3.tlog-proof"))
	if got := inclusion.Text(head(t, newest)); got != text {
		t.Errorf("the tlog-proof is\n%s", got)
	}
	parsed, of, err := seal.ReadProof(text)
	if err != nil || of.Note() != head(t, newest) || cmp.Diff(parsed, inclusion) != "" {
		t.Errorf("the tlog-proof is read as %+v, %v", parsed, err)
	}
}

// records returns the records of the object of entry 3.
func records() []record.Record {
	ann := record.Record{
		ActorID: "7b0e", ActorName: "ann", ActorEmail: "ann@acme.example", Action: "LoginAttempt", Fields: `{"username":"ann"}`,
		RequestID: "r-1", SourceIP: "198.51.100.7", CommitID: "c-1",
	}
	intent, outcome := ann, ann
	intent.ID, intent.CreatedAt, intent.Status = 1203852, time.UnixMicro(1772359200000001), "intent"
	outcome.ID, outcome.CreatedAt, outcome.Status = 1203853, time.UnixMicro(1772359200000412), "success"
	return []record.Record{intent, outcome, {
		ID: 1203860, CreatedAt: time.UnixMicro(1772359260500000), ActorName: "bob", Action: "CreateAuthToken",
		Fields: `{"name":"ci","note":"é"}`, RequestID: "r-2", SourceIP: "203.0.113.9", Status: "success",
		Absent: record.Of("actor_id") | record.Of("commit_id"),
	}}
}

// rowOf makes row bytes in the way of a caller that knows records.
func rowOf(r *record.Record) []byte {
	var columns []*string
	for i, c := range record.Columns() {
		text := c.Value(r)
		if r.Absent.Has(record.At(i)) {
			text = nil
		}
		columns = append(columns, text)
	}
	return seal.AppendRow(nil, r.ID, r.CreatedAt.UnixMicro(), columns...)
}

func leaves() []seal.Hash {
	var list []seal.Hash
	for _, r := range records() {
		list = append(list, seal.Leaf(rowOf(&r)))
	}
	return list
}

func TestVectorsOfRows(t *testing.T) {
	t.Parallel()
	var file []byte
	var tree seal.Frontier
	for _, r := range records() {
		file = append(append(file, rowOf(&r)...), '\n')
		tree.Append(seal.Leaf(rowOf(&r)))
	}
	if want := vector(t, "object.bin"); !bytes.Equal(file, want) {
		t.Errorf("the rows are\n%s\nwant\n%s", file, want)
	}
	if got := tree.Root().Base64(); got != "AYgZFPyTLnK+8sNjibDqFqXbFIqdsakohmfsthckT5w=" {
		t.Errorf("the records_root is %s", got)
	}
	const row = `7:1203860,16:1772359260500000,-,3:bob,0:,15:CreateAuthToken,25:{"name":"ci","note":"é"},3:r-2,11:203.0.113.9,-,7:success,`
	if hex := fmt.Sprintf("%x", seal.Leaf([]byte(row))); len(row) != 122 || !strings.HasPrefix(hex, "b9cc43a1") || !strings.HasSuffix(hex, "a557cb08") {
		t.Errorf("row 2 has %d bytes and the leaf %s", len(row), hex)
	}
	parsed := must[seal.Row](t)(seal.ParseRow([]byte(row)))
	if parsed.ID != 1203860 || parsed.CreatedAtMicros != 1772359260500000 || parsed.Columns[0] != nil || *parsed.Columns[2] != "" {
		t.Errorf("row 2 is read as %+v", parsed)
	}
}

func TestVectorOfBundle(t *testing.T) {
	t.Parallel()
	read := must[*seal.Bundle](t)(seal.ReadBundle(vector(t, "proof.json")))
	for _, keys := range [][]seal.PublicKey{{public(1)}, {public(2)}, {public(1), public(2), seal.PublicOf(key(99))}} {
		proved := must[*seal.Proved](t)(read.Check(keys...))
		if proved.Row.ID != 1203860 || proved.Object.Key != object || proved.Head.Size != newest || proved.Entry.Serial != 3 ||
			len(proved.By) != min(len(keys), 2) {
			t.Errorf("it proves %+v", proved)
		}
	}
	if _, err := read.Check(seal.PublicOf(key(99))); err == nil {
		t.Error("it is proved by a key that did not sign")
	}
	r := records()[2]
	row := seal.RowProof{Row: rowOf(&r), Inclusion: must[seal.Inclusion](t)(seal.ProveInclusion(2, 3, seal.FromLeaves(leaves())))}
	made := must[*seal.Bundle](t)(seal.NewBundle(object, row, line(t, 3),
		must[seal.Inclusion](t)(seal.ProveInclusion(2, newest, entries(t))), head(t, newest), public(1)))
	if diff := cmp.Diff(read, made); diff != "" {
		t.Errorf("made anew (-want +got):\n%s", diff)
	}
	again := must[*seal.Bundle](t)(seal.ReadBundle(must[[]byte](t)(made.Encode())))
	if diff := cmp.Diff(made, again); diff != "" {
		t.Errorf("written and read (-want +got):\n%s", diff)
	}
}

func TestVectorsOfTiles(t *testing.T) {
	t.Parallel()
	var tree seal.Frontier
	list := make([]seal.Hash, 70000)
	roots := map[uint64]string{256: "da6596d9…e2e32e", 1000: "346c6b9c…fde95b", 70000: "a3920fba…bdf00a"}
	for i := range list {
		list[i] = seal.Leaf(fmt.Appendf(nil, "entry %d", i))
		tree.Append(list[i])
		if want, ok := roots[tree.Size()]; ok && !fits(fmt.Sprintf("%x", tree.Root()), want) {
			t.Errorf("the root of %d is %x", tree.Size(), tree.Root())
		}
	}
	nodes := seal.FromLeaves(list)
	for path, want := range map[string]string{
		"tile/0/000":       "b0f6ca2f…9e605e",
		"tile/0/002":       "5537abfd…602b36",
		"tile/0/003.p/232": "ecb4d7ea…6cafef",
		"tile/1/000.p/3":   "31061400…b1e85a",
		"tile/1/000":       "44f879be…aabbfa",
	} {
		tile := must[seal.Tile](t)(seal.ParseTile(path))
		content := must[[]byte](t)(tile.Content(nodes))
		if got := fmt.Sprintf("%x", sha256.Sum256(content)); !fits(got, want) || tile.Path() != path || len(content) != 32*tile.Width {
			t.Errorf("%s is %s, with %d bytes and the SHA-256 %s", path, tile.Path(), len(content), got)
		}
	}
	if got := (seal.Tile{Level: 0, Number: 1234067, Width: seal.TileWidth}).Path(); got != "tile/0/x001/x234/067" {
		t.Errorf("the tile is %s", got)
	}
	full, partial := 0, 0
	for _, tile := range seal.Tiles(735840) {
		if tile.Width == seal.TileWidth {
			full++
		} else {
			partial++
		}
	}
	if full != 2885 || partial != 3 {
		t.Errorf("seven years have %d full tiles and %d partial ones", full, partial)
	}
}

// fits compares hex with its first and last digits.
func fits(hex, want string) bool {
	first, last, _ := strings.Cut(want, "…")
	return strings.HasPrefix(hex, first) && strings.HasSuffix(hex, last)
}
