package verify

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/houndtrail/houndtrail/checkpoint"
)

// journalOf makes a sound journal of n entries.
func journalOf(n int) (all []reading) {
	before := ""
	for serial := range n {
		r := reading{Stored: checkpoint.Stored{
			Checkpoint: checkpoint.Checkpoint{
				Serial: uint64(serial + 1), Kind: checkpoint.KindExport, PreviousSHA256: before,
			}, SHA256: fmt.Sprintf("hash %d", serial+1),
		}}
		before = r.SHA256
		all = append(all, r)
	}
	return all
}

func decide(all []reading, hint checkpoint.Hint) (decided []verdict) {
	var c chain
	for _, r := range all {
		decided = append(decided, c.add(r)...)
	}
	return append(decided, c.end(hint)...)
}

// TestChain changes, cuts and removes entries. Each entry is decided once and in order. A sound journal has no finding. If one
// entry is wrong, the chain names it, with the hash that it must have.
func TestChain(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 12).Draw(t, "entries")
		sound := journalOf(n)
		all := slices.Clone(sound)
		noted := rapid.Bool().Draw(t, "hint")
		hint := checkpoint.Hint{}
		if noted {
			hint = checkpoint.Hint{Serial: uint64(n), SHA256: sound[n-1].SHA256}
		}
		last := n - 1
		if !noted { // no entry and no hint has the hash of the newest entry
			last--
		}
		wrong := rapid.IntRange(-1, last).Draw(t, "wrong")
		if wrong >= 0 {
			r := &all[wrong]
			r.SHA256 = "changed"
			switch rapid.SampledFrom([]string{"edited", "unlinked", "unreadable", "missing"}).Draw(t, "how") {
			case "unlinked":
				r.PreviousSHA256 = "nothing"
			case "unreadable":
				r.Checkpoint, r.err = checkpoint.Checkpoint{Serial: r.Serial}, errors.New("no JSON")
			case "missing":
				if wrong == n-1 {
					return // it is then not the newest
				}
				r.Checkpoint, r.SHA256, r.err = checkpoint.Checkpoint{Serial: r.Serial}, "", checkpoint.ErrMissing
			}
		}
		decided := decide(all, hint)
		if len(decided) != n {
			t.Fatalf("%d verdicts about %d entries: %+v", len(decided), n, decided)
		}
		for i, v := range decided {
			if v.Serial != uint64(i+1) {
				t.Fatalf("verdict %d is about entry %d", i+1, v.Serial)
			}
			if bad := v.changed || v.err != nil; bad != (i == wrong) {
				t.Errorf("entry %d, and %d is wrong: %+v", i+1, wrong+1, v)
			}
			if i == wrong && v.want != sound[i].SHA256 {
				t.Errorf("entry %d is to have %q, want %q", i+1, v.want, sound[i].SHA256)
			}
		}
	})
}

// TestChainThatFitsNowhere: if no entry of a journal fits the previous one, the journal is not sound.
func TestChainThatFitsNowhere(t *testing.T) {
	t.Parallel()
	all := journalOf(6)
	for i := 2; i < 6; i++ {
		all[i].PreviousSHA256 = "something else"
	}
	var changed []uint64
	for _, v := range decide(all, checkpoint.Hint{}) {
		if v.changed {
			changed = append(changed, v.Serial)
		}
	}
	if want := []uint64{3, 4, 5}; !slices.Equal(changed, want) {
		t.Errorf("changed are %d, want %d", changed, want)
	}
}
