// Package seal makes a journal evidence: a Merkle tree over its entries (RFC 6962), signed heads of that tree (C2SP
// tlog-checkpoint in a signed note), a signature on each entry, proofs, and the keys.
//
// It is pure: bytes in, bytes out, without a store, a file, a network or a clock. Each text that it signs is a function of the
// entries alone, so every runner of a journal signs the same head of the same size, with the same bytes.
//
// A head is to be signed only over an entry that is known to be in the store. A runner that signs earlier can sign two heads of
// one size, and so prove against itself.
//
// Serial N of a journal is leaf N-1 of its tree. The seal of entry N is about the tree before it, of size N-1.
package seal

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"

	"golang.org/x/mod/sumdb/tlog"
)

// A Hash is the hash of a leaf, of a node, or of a whole tree. In texts and JSON it is base64. The verb %x prints its hex; it
// has no String method, since that would make %x print the hex of the base64.
type Hash [sha256.Size]byte

// base64s is base64 of one spelling only: other decoders ignore the last bits of a text, so that several texts give one hash.
//
//nolint:gochecknoglobals // a constant
var base64s = base64.StdEncoding.Strict()

// Base64 is the hash as texts and JSON have it.
func (h Hash) Base64() string { return base64s.EncodeToString(h[:]) }

// MarshalText gives Base64.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.Base64()), nil }

// UnmarshalText reads what MarshalText gives, and nothing else.
func (h *Hash) UnmarshalText(text []byte) error { //nolint:recvcheck // a value in lists and maps that is read in place
	raw, err := base64s.DecodeString(string(text))
	if err != nil || len(raw) != len(h) || base64s.EncodeToString(raw) != string(text) {
		return errors.New("it is no hash: want 32 bytes as base64")
	}
	copy(h[:], raw)
	return nil
}

// Leaf is the hash of one leaf. An entry's leaf is over all bytes of the object in the store, with the last newline.
func Leaf(data []byte) Hash { return Hash(tlog.RecordHash(data)) }

// node is the hash of the subtree whose two halves have these hashes.
func node(left, right Hash) Hash { return Hash(tlog.NodeHash(tlog.Hash(left), tlog.Hash(right))) }

// maxSize is the most leaves that a tree can have here: a number that every reader of JSON holds exactly, and far below the
// sizes at which tlog's arithmetic overflows and never ends.
const maxSize = 1 << 53

// theirs and ours convert lists between tlog's type and ours.
func theirs(hashes []Hash) []tlog.Hash {
	list := make([]tlog.Hash, len(hashes))
	for i, h := range hashes {
		list[i] = tlog.Hash(h)
	}
	return list
}

func ours(hashes []tlog.Hash) []Hash {
	list := make([]Hash, len(hashes))
	for i, h := range hashes {
		list[i] = Hash(h)
	}
	return list
}
