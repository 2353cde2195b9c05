package verify_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/checkpoint/seal"
	"github.com/houndtrail/houndtrail/sink/archive/verify"
	"github.com/houndtrail/houndtrail/sink/sinktest/servers"
)

const (
	postedHint  = "positions/webhook/state/latest"
	postedLease = "positions/webhook/state/lease.json"
	from        = 3 // the rewritten entries begin with this one
)

// count is the number of entries of the webhook's journal.
func (v *vandal) count() int { return len(entries(v.t, v.all, posted)) }

// at writes a finding about an entry of the webhook's journal. It counts back from the newest entry.
func (v *vandal) at(code string, back int) string {
	return fmt.Sprint("error ", code, " ", v.count()-back)
}

// kept returns the heads of both journals, as a reader kept them.
func (v *vandal) kept() (heads []verify.Remembered) {
	v.t.Helper()
	for _, name := range []string{hintName, postedHint} {
		heads = append(heads, headOf(v.t, name, checkpoint.ParseHint(v.all[name]).Head))
	}
	return heads
}

func headOf(t testing.TB, where, note string) verify.Remembered {
	t.Helper()
	h, err := seal.ReadHead(note)
	check(t, err)
	return verify.Remembered{Where: where, Head: h}
}

// sealOf returns the seal of an entry of the webhook's journal.
func (v *vandal) sealOf(serial int) *seal.Seal { return entries(v.t, v.all, posted)[serial-1].Seal }

// setBack makes the hint name an earlier entry as the newest one, with the head of it that the next entry has.
func (v *vandal) setBack(serial int) {
	v.t.Helper()
	v.hint(checkpoint.Hint{
		Serial: uint64(serial), SHA256: hexSum(v.all[entryOf(posted, serial)]), Head: v.sealOf(serial + 1).Head,
	})
}

func (v *vandal) hint(h checkpoint.Hint) {
	v.t.Helper()
	body, err := json.Marshal(h)
	check(v.t, err)
	v.put(postedHint, append(body, '\n'))
}

// noteOf returns the head of the tree whose newest entry is this one.
func noteOf(t testing.TB, serial int, body []byte, keys ...ed25519.PrivateKey) string {
	t.Helper()
	stream := posted
	if bytes.Contains(body, []byte(`"stream":"archive"`)) {
		stream = archived
	}
	s, err := checkpoint.Open(new(checkpointtest.Memory), checkpoint.Identity{Stream: stream}).Parse(uint64(serial), body)
	check(t, err)
	h, err := s.TreeHead()
	check(t, err)
	var signers []seal.Signer
	for _, key := range keys {
		signers = append(signers, seal.NewSigner(h.Origin, key))
	}
	note, err := h.Sign(signers...)
	check(t, err)
	return note
}

// rewritten returns the webhook's journal with a falsified count in an entry, and with later entries that fit it. The last body
// comes with its head.
func (v *vandal) rewritten(keys ...ed25519.PrivateKey) (bodies map[int][]byte, note string) {
	v.t.Helper()
	bodies = map[int][]byte{}
	previous := v.all[entryOf(posted, from-1)]
	for serial := from; serial <= v.count(); serial++ {
		body := v.all[entryOf(posted, serial)]
		if serial == from {
			body = bytes.Replace(body, []byte(`"late":`), []byte(`"late":1`), 1)
		}
		previous = checkpointtest.Reseal(v.t, previous, body, keys...)
		bodies[serial] = previous
	}
	return bodies, noteOf(v.t, v.count(), previous, keys...)
}

// rewrite replaces the sound journal by the rewritten one and its head.
func (v *vandal) rewrite(keys ...ed25519.PrivateKey) {
	v.t.Helper()
	bodies, note := v.rewritten(keys...)
	for serial, body := range bodies {
		v.put(entryOf(posted, serial), body)
	}
	v.hint(checkpoint.Hint{Serial: uint64(v.count()), SHA256: hexSum(bodies[v.count()]), Head: note})
}

// masked gives an entry the signatures of another one.
func masked(body, other []byte) []byte {
	const key = `,"signatures":`
	list := other[bytes.LastIndex(other, []byte(key)):]
	return append(bytes.TrimSuffix(body, []byte("}\n")), list...)
}

// cut removes two entries and numbers the rest anew, with the chain and the seals of a sound journal.
func (v *vandal) cut() {
	v.t.Helper()
	previous := v.all[entryOf(posted, from-1)]
	last := v.count() - 2
	for serial := from; serial <= last; serial++ {
		body := bytes.Replace(v.all[entryOf(posted, serial+2)], fmt.Appendf(nil, `"serial":%d,`, serial+2), fmt.Appendf(nil, `"serial":%d,`, serial), 1)
		previous = checkpointtest.Reseal(v.t, previous, body)
		v.put(entryOf(posted, serial), previous)
	}
	v.remove(entryOf(posted, last+1))
	v.remove(entryOf(posted, last+2))
	v.hint(checkpoint.Hint{Serial: uint64(last), SHA256: hexSum(previous), Head: noteOf(v.t, last, previous)})
	v.remove(postedLease)
}

func list(v *vandal, found ...string) []string {
	for i, f := range found {
		if code, back, ok := strings.Cut(f, " -"); ok {
			n := 0
			_, err := fmt.Sscan(back, &n)
			check(v.t, err)
			found[i] = v.at(code, n)
		}
	}
	return found
}

// found writes findings; "code -N" is about the entry N before the newest of the webhook's journal.
func found(f ...string) func(*vandal) []string {
	return func(v *vandal) []string { return list(v, append([]string{}, f...)...) }
}

// forgeries are the forgeries of a person who knows the formats, with and without the key.
func forgeries() []tampering {
	key, stranger := checkpointtest.Key(1), checkpointtest.Key(9)
	tip := func(v *vandal) []byte {
		n := v.count()
		body := bytes.Replace(v.all[entryOf(posted, n)], []byte(`"late":`), []byte(`"late":1`), 1)
		return checkpointtest.Reseal(v.t, v.all[entryOf(posted, n-1)], body)
	}
	return []tampering{
		{
			name: "the newest dropped, the hint set to a head out of an entry",
			do: func(v *vandal) {
				for i := range lost {
					v.remove(entryOf(posted, v.count()-i))
				}
				v.setBack(v.count() - lost)
				v.remove(postedLease)
			},
			dir: found(), s3: found("entries-lost -2", "entry-hidden -2"), kept: found("rolled-back -2"),
		},
		{
			name: "an old head in the hint", do: func(v *vandal) { v.setBack(from) },
			dir: found("warn hint-stale 0"), s3: found("warn hint-stale 0"),
		},
		{
			name: "a head with another cursor in the hint",
			do: func(v *vandal) {
				h := checkpoint.ParseHint(v.all[postedHint])
				h.Head = strings.Replace(h.Head, "\ncursor 2026", "\ncursor 2025", 1)
				v.hint(h)
			},
			dir: found("head-changed -0", "hint-signature -0"), s3: found("head-changed -0", "hint-signature -0"),
		},
		{
			name: "rewritten without signatures", do: func(v *vandal) { v.rewrite() },
			dir: found("error downgraded 3"), s3: found("error downgraded 3", "forked -0"), kept: found("forked -0"),
		},
		{
			name: "rewritten with another key", do: func(v *vandal) { v.rewrite(stranger) },
			dir:  found("hint-signature -0", "head-signature -1", "entry-signature -0", "error entry-signature 3"),
			s3:   found("hint-signature -0", "head-signature -1", "entry-signature -0", "error entry-signature 3", "forked -0"),
			kept: found("forked -0"),
		},
		{
			name: "rewritten with the old signatures",
			do: func(v *vandal) {
				previous := v.all[entryOf(posted, from-1)]
				for serial := from; serial <= v.count(); serial++ {
					original := v.all[entryOf(posted, serial)]
					body := original
					if serial == from {
						body = bytes.Replace(body, []byte(`"late":`), []byte(`"late":1`), 1)
					}
					previous = masked(checkpointtest.Reseal(v.t, previous, body), original)
					v.put(entryOf(posted, serial), previous)
				}
				h := checkpoint.ParseHint(v.all[postedHint])
				h.SHA256 = hexSum(previous)
				v.hint(h)
			},
			dir:  found("forked -0", "head-signature -1", "entry-signature -0", "error entry-signature 3"),
			s3:   found("forked -0", "head-signature -1", "entry-signature -0", "error entry-signature 3"),
			kept: found("forked -0"),
		},
		{ // a reader finds this only by a kept head
			name: "rewritten with the key", do: func(v *vandal) { v.rewrite(key) },
			dir: found(), s3: found("forked -0"), kept: found("forked -0"),
		},
		{
			name: "the newest forged, the hint set back",
			do: func(v *vandal) {
				v.put(entryOf(posted, v.count()), masked(tip(v), v.all[entryOf(posted, v.count())]))
				v.setBack(v.count() - 1)
			},
			dir: found("warn hint-stale 0", "entry-signature -0"), s3: found("warn hint-stale 0", "entry-signature -0", "forked -0"),
			kept: found("forked -0"),
		},
		{
			name: "entries cut out and the rest numbered anew", do: func(v *vandal) { v.cut() },
			dir: found("error downgraded 3"), s3: found("error downgraded 3"), kept: found("rolled-back -1"), some: true,
		},
	}
}

// TestForkShownToOneReader: if one reader is shown another history than the others, he has the proof: a head that the key signed.
func TestForkShownToOneReader(t *testing.T) {
	t.Parallel()
	v := inFolder(t, t.TempDir(), bodies(t))
	_, note := v.rewritten(checkpointtest.Key(1))
	for _, depth := range []verify.Depth{verify.Heads, verify.Objects} {
		got, _ := run(t, v.place.pinned(depth, headOf(t, "mine.note", note)))
		if !same(got, list(v, "forked -0")) {
			t.Errorf("%s: %q", depth, got)
		}
	}
}

// TestAnotherJournal: if another journal replaces the first one, the earlier versions of the hint belong to the first one. After an
// adoption they do so, too, and that is no fault.
func TestAnotherJournal(t *testing.T) {
	t.Parallel()
	server := servers.VersityGW(t)
	servers.CreateBucket(t, server, lake, true)
	for _, adopted := range []bool{false, true} {
		s, _ := long(t, 3)
		hint, _, _, err := s.positions.Get(t.Context(), s.journal.HintKey())
		check(t, err)
		all := map[string][]byte{"positions/" + s.journal.HintKey(): hint}
		v := inBucket(t, server, fmt.Sprint("adopted", adopted), all)
		other := checkpoint.Open(v.place.positions, checkpoint.Identity{Tenant: tenant, Stream: archived})
		e := checkpoint.Checkpoint{Kind: checkpoint.KindExport, Window: hours(0, 1), Cursor: hours(0, 1).End, Start: begin, DeliveredSince: begin}
		want := []string{"error head-unknown 0"}
		if adopted {
			e.Kind, e.Adopted, e.Window, want = checkpoint.KindAdopt, &checkpoint.Adoption{Reason: "lost"}, hours(1, 1), nil
		} else {
			v.put("positions/"+s.journal.HintKey(), []byte("{}"))
		}
		_, err = other.Commit(t.Context(), checkpoint.Stored{}, e)
		check(t, err)
		for _, depth := range []verify.Depth{verify.Heads, verify.Objects} {
			got, report := run(t, v.place.options(depth))
			if !same(got, want) {
				t.Errorf("adopted %t, %s: %q, want %q\n%+v", adopted, depth, got, want, report.Findings)
			}
		}
	}
}

// TestForgedEarlierHint: an earlier hint that the key did not sign proves nothing, because a person who may write to the store can
// put any hint there. Without the key, it counts.
func TestForgedEarlierHint(t *testing.T) {
	t.Parallel()
	server := servers.VersityGW(t)
	servers.CreateBucket(t, server, lake, true)
	v := inBucket(t, server, "forged", bodies(t))
	h := v.kept()[1].Head.Head
	h.Size = 999
	note, err := h.Sign(seal.NewSigner(h.Origin, checkpointtest.Key(9)))
	check(t, err)
	v.hint(checkpoint.Hint{Serial: h.Size, SHA256: "00", Head: note})
	v.put(postedHint, v.all[postedHint])
	if got, report := run(t, v.place.pinned(verify.Heads)); len(got) > 0 {
		t.Errorf("with the key: %q\n%+v", got, report.Findings)
	}
	if got, _ := run(t, v.place.options(verify.Heads)); !same(got, list(v, v.at("entries-lost", -1))) {
		t.Errorf("without a key: %q", got)
	}
}
