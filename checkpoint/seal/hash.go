// Package seal makes a journal evidence: a Merkle tree over its entries (RFC 6962), signed heads of that tree (C2SP
// tlog-checkpoint in a signed note), a signature on each entry, proofs, and the keys.
//
// Package seal is pure: it works on bytes, without a store, a file, a network or a clock. Each text that it signs is a function of
// the entries alone. So every runner of a journal signs the same head of the same size, with the same bytes.
//
// A runner must sign a head only over an entry that is known to be in the store. If it signs earlier, it can sign two heads of one
// size. Then its own signatures prove a fork.
//
// Serial N of a journal is leaf N-1 of its tree. The seal of entry N is about the tree before it, of size N-1.
package seal

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"

	"golang.org/x/mod/sumdb/tlog"
)

// A Hash is the hash of a leaf, of a node, or of a whole tree. In texts and JSON it is base64. The verb %x prints its hex. It has
// no String method: with one, %x would print the hex of the base64.
type Hash [sha256.Size]byte

// Base64 is the form of the hash in texts and in JSON.
func (h Hash) Base64() string { return base64.StdEncoding.EncodeToString(h[:]) }

// MarshalText returns Base64.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.Base64()), nil }

// UnmarshalText reads the output of MarshalText, and no other text.
func (h *Hash) UnmarshalText(text []byte) error {
	raw, err := decode64(string(text))
	if err != nil || len(raw) != len(h) {
		return errors.New("it is no hash: want 32 bytes as base64")
	}
	copy(h[:], raw)
	return nil
}

// decode64 reads base64 in one spelling only. The library's decoder skips newlines and ignores the last bits of a text, so that it
// reads several texts as the same bytes.
func decode64(text string) ([]byte, error) {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err == nil && base64.StdEncoding.EncodeToString(raw) != text {
		err = errors.New("it has a second spelling")
	}
	return raw, err
}

// Leaf is the hash of one leaf. The leaf of an entry covers all bytes of the object in the store, with the last newline.
func Leaf(data []byte) Hash { return Hash(tlog.RecordHash(data)) }

// node is the hash of the subtree whose two halves have these hashes.
func node(left, right Hash) Hash { return Hash(tlog.NodeHash(tlog.Hash(left), tlog.Hash(right))) }

// maxSize is the largest number of leaves in a tree here. Every reader of JSON holds this number exactly. It is far below the
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
