package checkpointtest

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/checkpoint/seal"
)

// Key is a private key for tests. Each number gives another key.
func Key(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

var (
	sealPart     = regexp.MustCompile(`(?s),"seal":\{.*`)
	previousPart = regexp.MustCompile(`"previous_sha256":"[^"]*"`)
)

// Reseal takes an entry that a test wrote or changed by hand. It returns the entry with the chain, the seal and the signatures of
// a commit after the previous entry. previous is nil for entry 1. A forger who has the keys, or who needs none, can do the same.
func Reseal(tb testing.TB, previous, body []byte, keys ...ed25519.PrivateKey) []byte {
	tb.Helper()
	type facts struct {
		checkpoint.Checkpoint
		Signatures []string `json:"signatures"`
	}
	var before, c facts
	s := seal.Seal{Frontier: []seal.Hash{}}
	tree, sum := new(seal.Frontier), ""
	check(tb, json.Unmarshal(body, &c))
	if c.Serial == 1 || c.Kind == checkpoint.KindAdopt {
		s.Origin = must(seal.NewOrigin(c.Tenant, c.Stream, c.Lineage))(tb)
	}
	if previous != nil {
		check(tb, json.Unmarshal(previous, &before))
		tree = must(before.Seal.Before())(tb)
		tree.Append(seal.Leaf(previous))
		if s.Origin == "" {
			s.Origin = before.Seal.Origin
		}
		sum = digestOf(previous)
		head := seal.Head{
			Origin: s.Origin, Size: tree.Size(), Root: tree.Root(), Cursor: before.Cursor, Records: uint64(before.Totals.Delivered),
		}
		s.Head = must(head.Sign(signers(s.Origin, keys)...))(tb)
	}
	s = must(seal.NewSeal(s.Origin, tree, s.Head))(tb)
	text := must(json.Marshal(s))(tb)
	body = bytes.TrimSuffix(sealPart.ReplaceAll(body, nil), []byte("}\n"))
	body = previousPart.ReplaceAll(body, []byte(`"previous_sha256":"`+sum+`"`))
	line := bytes.Join([][]byte{body, []byte(`,"seal":`), text, []byte("}\n")}, nil)
	return must(seal.SignEntry(line, s.Origin, c.Serial, signers(s.Origin, keys)...))(tb)
}

// rechain edits an entry. It gives that entry and all later ones the chain and the seals of a sound journal.
func rechain(tb testing.TB, b bucket.Bucket, from, newest uint64, old, changed string, keys ...ed25519.PrivateKey) {
	tb.Helper()
	edit(tb, b, entryKey(from), old, changed)
	var previous []byte
	for serial := max(from, 2) - 1; serial <= newest; serial++ {
		body, _, _, err := b.Get(tb.Context(), entryKey(serial))
		check(tb, err)
		if serial >= from {
			body = Reseal(tb, previous, body, keys...)
			overwrite(tb, b, entryKey(serial), body)
		}
		previous = body
	}
}

// Pruned is a previous entry that no store has. A journal that follows it looks as if it had been pruned.
func Pruned(id checkpoint.Identity, serial uint64) checkpoint.Stored {
	const lineage = "00000000-0000-4000-8000-000000000000"
	s := checkpoint.Stored{SHA256: "pruned"}
	s.Kind, s.Tenant, s.Stream, s.Source = checkpoint.KindExport, id.Tenant, id.Stream, id.Source
	s.Destination, s.Encoding, s.Lineage, s.Serial = id.Destination, id.Encoding, lineage, serial
	origin, err := seal.NewOrigin(id.Tenant, id.Stream, lineage)
	if err != nil {
		panic(err)
	}
	tree := new(seal.Frontier)
	for tree.Size() < serial-1 {
		tree.Append(seal.Leaf(nil))
	}
	s.Seal = &seal.Seal{Origin: origin, Size: tree.Size(), Frontier: tree.Hashes()}
	if tree.Size() > 0 {
		s.Seal.Head = (&seal.Head{Origin: origin, Size: tree.Size(), Root: tree.Root(), Cursor: time.Unix(0, 0)}).Text()
	}
	return s
}

func signers(origin string, keys []ed25519.PrivateKey) []seal.Signer {
	all := make([]seal.Signer, len(keys))
	for i, key := range keys {
		all[i] = seal.NewSigner(origin, key)
	}
	return all
}

func digestOf(body []byte) string { return fmt.Sprintf("%x", sha256.Sum256(body)) }

// must returns the value, or fails the test.
func must[T any](value T, err error) func(tb testing.TB) T {
	return func(tb testing.TB) T {
		tb.Helper()
		check(tb, err)
		return value
	}
}
