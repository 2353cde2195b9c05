package checkpointtest

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/checkpoint/seal"
)

func sealedCases() []testCase {
	return []testCase{
		{"the next seal catches an entry that was changed and chained again", rechained},
		{"a seal tells the cursor and the records of the entry before", falseHead},
		{"a note with the head of another tree is a hard stop", foreignHead},
		{"a note that is behind has the head of an older seal", staleHead},
		{"two writers sign the same head", sameHeads},
		{"an adoption begins a new origin", newOrigin},
		{"a move and a reset keep the origin", keptOrigin},
	}
}

// signing opens the journal of a process that commits with these keys.
func signing(b bucket.Bucket, keys ...ed25519.PrivateKey) *checkpoint.Journal {
	return checkpoint.Open(b, identity("host"), checkpoint.LeaseTTL(TTL), checkpoint.Sign(keys...))
}

// headOf opens the head of an entry by a key.
func headOf(t *world, s checkpoint.Stored, keys ...seal.PublicKey) *seal.SignedHead {
	t.Helper()
	h, _, err := seal.OpenHead(s.Head, s.Seal.Origin, keys...)
	if err != nil || h.Size != s.Serial || !h.Cursor.Equal(s.Cursor.Truncate(1000)) {
		t.Fatalf("entry %d has the head %q, %v", s.Serial, s.Head, err)
	}
	return h
}

func noteOf(t *world) (n struct {
	Serial uint64 `json:"serial"`
	SHA256 string `json:"sha256"`
	Head   string `json:"head"`
},
) {
	t.Helper()
	body, _, _, err := t.b.Get(t.Context(), "archive/state/latest")
	check(t, err)
	check(t, json.Unmarshal(body, &n))
	return n
}

// rechained changes an entry and repairs the SHA-256 chain, like a forger who does not know of seals.
func rechained(t *world) {
	a, b := t.journals()
	commit(t, a, 3)
	edit(t, t.b, entryKey(2), `"fresh":480`, `"fresh":481`)
	body, _, _, err := t.b.Get(t.Context(), entryKey(2))
	check(t, err)
	third, _, _, err := t.b.Get(t.Context(), entryKey(3))
	check(t, err)
	overwrite(t, t.b, entryKey(3), previousPart.ReplaceAll(third, fmt.Appendf(nil, `"previous_sha256":"%s"`, digestOf(body))))
	overwrite(t, t.b, "archive/state/latest", []byte("no witness"))
	_, err = b.Load(t.Context())
	wantError(t, err, checkpoint.ErrCorrupt, entryKey(3), "seal", "changed", "restore")
	_, err = collect(b.Entries(t.Context()))
	wantError(t, err, checkpoint.ErrCorrupt, entryKey(3), "seal")
	last := append(sound(1, 2), seen{serial: 3, kind: checkpoint.ErrCorrupt, says: "seal", read: true})
	wantSurvey(t, b, last...)
	// Chains and seals cannot show that a journal was written anew to its end. Only a head that is remembered elsewhere can.
	overwrite(t, t.b, entryKey(3), third)
	rechain(t, t.b, 2, 3, `"fresh":481`, `"fresh":482`)
	_, err = b.Load(t.Context())
	check(t, err)
}

// falseHead has a head in its seal that fits the tree, but has other numbers than the previous entry.
func falseHead(t *world) {
	a, _ := t.journals()
	commit(t, a, 3)
	overwrite(t, t.b, "archive/state/latest", []byte("no witness"))
	good, _, _, err := t.b.Get(t.Context(), entryKey(3))
	check(t, err)
	for from, to := range map[string]string{`\nrecords 960\n`: `\nrecords 961\n`, `cursor 2026-03-01T12:00:00.123456Z`: `cursor 2026-03-01T12:00:00.123457Z`} {
		edit(t, t.b, entryKey(3), from, to)
		_, b := t.journals()
		_, err := b.Load(t.Context())
		wantError(t, err, checkpoint.ErrCorrupt, entryKey(3), "seal", "changed")
		overwrite(t, t.b, entryKey(3), good)
	}
}

func foreignHead(t *world) {
	a, _ := t.journals()
	last := commit(t, a, 3)
	other := seal.Head{Origin: last.Seal.Origin, Size: 3, Root: seal.Leaf(nil), Cursor: last.Cursor, Records: 1440}
	for _, serial := range []uint64{3, 2, 1} {
		for what, h := range map[string]seal.Head{
			"root":    {Origin: other.Origin, Size: serial, Root: other.Root, Cursor: other.Cursor, Records: other.Records},
			"origin":  {Origin: strings.Replace(other.Origin, "a/", "b/", 1), Size: serial, Root: other.Root, Cursor: other.Cursor},
			"another": other,
		} {
			if serial != 3 && what == "another" {
				h.Size = serial + 1
			}
			body, err := json.Marshal(map[string]any{"serial": serial, "head": h.Text()})
			check(t, err)
			overwrite(t, t.b, "archive/state/latest", body)
			_, b := t.journals()
			_, err = b.Load(t.Context())
			wantError(t, err, checkpoint.ErrCorrupt, entryKey(serial), "archive/state/latest", "head", "restore")
		}
	}
}

func staleHead(t *world) {
	a := signing(t.a, Key(1))
	last := checkpoint.Stored{}
	var notes [][]byte
	for n := range 4 {
		next, err := a.Commit(t.Context(), last, position(n+1))
		check(t, err)
		note, _, _, err := t.b.Get(t.Context(), "archive/state/latest")
		check(t, err)
		last, notes = next, append(notes, note)
	}
	for _, note := range notes {
		overwrite(t, t.b, "archive/state/latest", note)
		loaded, err := signing(t.b, Key(1)).Load(t.Context())
		if err != nil || loaded.SHA256 != last.SHA256 || loaded.Head != last.Head {
			t.Errorf("with the note %s: %+v, %v", note, loaded, err)
		}
	}
}

func sameHeads(t *world) {
	a, b := signing(t.a, Key(1), Key(2)), signing(t.b, Key(1), Key(2))
	for n := 1; n <= 5; n++ {
		last, err := a.Load(t.Context())
		if n > 1 {
			check(t, err)
		}
		committed, err := a.Commit(t.Context(), last, position(n))
		check(t, err)
		loaded, err := b.Load(t.Context())
		check(t, err)
		if diff := cmp.Diff(committed, loaded); diff != "" || noteOf(t).Head != committed.Head {
			t.Fatalf("who committed entry %d and who loaded it (-+):\n%s", n, diff)
		}
		headOf(t, committed, seal.PublicOf(Key(1)))
		headOf(t, committed, seal.PublicOf(Key(2)))
		reader, err := checkpoint.Open(t.b, identity("reader")).Load(t.Context())
		if err != nil || reader.Head != committed.Head || !reader.Signed {
			t.Errorf("a reader without a key sees %+v, %v", reader, err)
		}
	}
}

func newOrigin(t *world) {
	a := signing(t.a, Key(1))
	last := commit(t, a, 5)
	for what, j := range map[string]*checkpoint.Journal{
		"a sound journal": signing(t.b, Key(1)),
	} {
		adopt(t, j, 6, adoption())
		loaded, err := j.Load(t.Context())
		check(t, err)
		h := headOf(t, loaded, seal.PublicOf(Key(1)))
		if h.Origin == last.Seal.Origin || !strings.HasPrefix(h.Origin, "a/houndtrail/archive/") {
			t.Errorf("%s: the origin is %s", what, h.Origin)
		}
	}
	// The tree grows on from the newest entry that can be read, over the bytes of the later ones.
	overwrite(t, t.b, entryKey(7), []byte("<html>"))
	adopt(t, signing(t.b, Key(1)), 8, adoption())
	tree := new(seal.Frontier)
	for serial := uint64(1); serial <= 9; serial++ {
		body, _, _, err := t.b.Get(t.Context(), entryKey(serial))
		check(t, err)
		tree.Append(seal.Leaf(body))
	}
	loaded, err := signing(t.b, Key(1)).Load(t.Context())
	check(t, err)
	if h := headOf(t, loaded, seal.PublicOf(Key(1))); h.Root != tree.Root() {
		t.Errorf("the root is %s, and the entries give %s", h.Root.Base64(), tree.Root().Base64())
	}
}

func keptOrigin(t *world) {
	a := signing(t.a, Key(1))
	last := commit(t, a, 2)
	origin := last.Seal.Origin
	reset := position(3)
	reset.Kind, reset.Reset = checkpoint.KindReset, &checkpoint.Reset{Reason: "a test"}
	last, err := a.Commit(t.Context(), last, reset)
	check(t, err)
	id := identity("host-b")
	id.Tenant = "b"
	moved, err := checkpoint.Open(t.b, id, checkpoint.LeaseTTL(TTL), checkpoint.Sign(Key(1))).Move(t.Context(), "a test", last.CommittedAt)
	check(t, err)
	if last.Seal.Origin != origin || moved.Seal.Origin != origin || moved.Serial != 4 {
		t.Errorf("the origins are %s, %s and %s", origin, last.Seal.Origin, moved.Seal.Origin)
	}
}
