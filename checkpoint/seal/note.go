package seal

import (
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/mod/sumdb/note"
)

// The ways in which signatures can fail, to be tested with errors.Is.
var (
	// ErrUnsigned: the text has no signature.
	ErrUnsigned = errors.New("it is not signed")
	// ErrUnknownKey: the text is signed, but by none of the given keys.
	ErrUnknownKey = errors.New("it is signed by none of the known keys")
	// ErrBadSignature: a signature names a given key, but that key did not make it.
	ErrBadSignature = errors.New("a signature does not fit the text")
)

// largest is the largest number of bytes of a head, or of an entry's signatures.
const largest = 64 << 10

// dash begins each line of a signature.
const dash = "— "

// A Signer signs for one journal. It can be a key in memory, or a service that keeps the key.
type Signer = note.Signer

// NewSigner is a key that signs for the journal of that origin.
func NewSigner(origin string, key ed25519.PrivateKey) Signer { return signer{origin, key} }

type signer struct {
	origin string
	key    ed25519.PrivateKey
}

func (s signer) Name() string                     { return s.origin }
func (s signer) KeyHash() uint32                  { return PublicOf(s.key).ID(s.origin) }
func (s signer) Sign(text []byte) ([]byte, error) { return ed25519.Sign(s.key, text), nil }

// verifier is a public key that signs for the journal of that origin.
type verifier struct {
	origin string
	key    PublicKey
}

func (v verifier) Name() string                 { return v.origin }
func (v verifier) KeyHash() uint32              { return v.key.ID(v.origin) }
func (v verifier) Verify(text, sig []byte) bool { return ed25519.Verify(v.key[:], text, sig) }

// sign signs a text for a journal and returns a line for each signer, in their order.
func sign(origin, text string, signers []Signer) ([]string, error) {
	seen := map[uint32]bool{}
	for _, s := range signers {
		if s.Name() != origin {
			return nil, fmt.Errorf("a key of %s cannot sign for %s", s.Name(), origin)
		}
		if seen[s.KeyHash()] {
			return nil, fmt.Errorf("the key %08x is to sign twice", s.KeyHash())
		}
		seen[s.KeyHash()] = true
	}
	signed, err := note.Sign(&note.Note{Text: text}, signers...)
	if err != nil {
		return nil, fmt.Errorf("sign for %s: %w", origin, err)
	}
	return strings.Split(strings.TrimSuffix(string(signed[len(text)+1:]), "\n"), "\n"), nil
}

// A signed text is a text with the lines of its signatures. The signatures prove nothing until SignedBy has opened them.
type signed struct {
	origin string
	text   string
	lines  []string
}

// Signed tells whether there is any signature, of any key.
func (s signed) Signed() bool { return len(s.lines) > 0 }

// SignedBy opens the signatures and returns the keys that signed, in the order of the signatures. It ignores signatures by other
// keys. The error is [ErrUnsigned], [ErrUnknownKey] or [ErrBadSignature]. Without an error, at least one of the keys signed.
func (s signed) SignedBy(keys ...PublicKey) ([]PublicKey, error) {
	if !s.Signed() {
		return nil, ErrUnsigned
	}
	byID := map[uint32]PublicKey{}
	var verifiers []note.Verifier
	for _, key := range keys {
		id := key.ID(s.origin)
		switch other, known := byID[id]; {
		case !known:
			byID[id] = key
			verifiers = append(verifiers, verifier{s.origin, key})
		case other != key:
			return nil, fmt.Errorf("two keys have the same id %08x: their SHA-256 are %s and %s; leave out one of them",
				id, other.Fingerprint(), key.Fingerprint())
		}
	}
	opened, err := note.Open([]byte(s.text+"\n"+strings.Join(s.lines, "\n")+"\n"), note.VerifierList(verifiers...))
	var unknown *note.UnverifiedNoteError
	var invalid *note.InvalidSignatureError
	switch {
	case errors.As(err, &unknown):
		return nil, ErrUnknownKey
	case errors.As(err, &invalid):
		return nil, fmt.Errorf("%w: that of the key %08x", ErrBadSignature, invalid.Hash)
	case err != nil:
		return nil, err
	}
	by := make([]PublicKey, len(opened.Sigs))
	for i, sig := range opened.Sigs {
		by[i] = byID[sig.Hash]
	}
	return by, nil
}

// checkLines refuses signature lines that have a second spelling, since a reader must notice every changed byte.
func checkLines(lines []string) error {
	const most = 100 // the number that note.Open reads
	if len(lines) > most {
		return fmt.Errorf("it has %d signatures, and %d are the most", len(lines), most)
	}
	for i, line := range lines {
		name, sig, _ := strings.Cut(strings.TrimPrefix(line, dash), " ")
		raw, err := decode64(sig)
		if !strings.HasPrefix(line, dash) || err != nil || len(raw) < 5 || name == "" ||
			strings.ContainsFunc(name, unnamable) {
			return fmt.Errorf("signature %d is no signature line: want %q, a name, and base64", i+1, dash)
		}
		if slices.Contains(lines[:i], line) {
			return fmt.Errorf("signature %d is there twice", i+1)
		}
	}
	return nil
}

// unnamable tells whether a key's name cannot have that character.
func unnamable(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || r == '+' }

// keyID is the id of a key in notes: a hint, and no fingerprint.
func keyID(sum []byte) uint32 { return binary.BigEndian.Uint32(sum) }
