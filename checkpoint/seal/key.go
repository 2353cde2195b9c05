package seal

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// A PublicKey checks the signatures of any number of journals. With the origin of a journal, it becomes the key of that journal.
type PublicKey [ed25519.PublicKeySize]byte

// PublicOf is the public part of a private key.
func PublicOf(key ed25519.PrivateKey) PublicKey { return PublicKey(key[ed25519.SeedSize:]) }

// ID names the key in the signatures of a journal. It is a hint about which key to try, and no fingerprint: another key with the
// same id is quickly made.
func (k PublicKey) ID(origin string) uint32 {
	const algorithm = 1 // plain Ed25519
	sum := sha256.Sum256([]byte(origin + "\n" + string(rune(algorithm)) + string(k[:])))
	return keyID(sum[:])
}

// VerifierKey is the key of the journal of that origin, in the form that other tools for signed notes read.
func (k PublicKey) VerifierKey(origin string) (string, error) {
	if err := CheckOrigin(origin); err != nil {
		return "", err
	}
	return note.NewEd25519VerifierKey(origin, k[:])
}

// spki is the key in the form of x509 and openssl.
func (k PublicKey) spki() []byte {
	der, err := x509.MarshalPKIXPublicKey(ed25519.PublicKey(k[:]))
	if err != nil {
		panic(err) // every key of 32 bytes can be written
	}
	return der
}

// Fingerprint is the SHA-256 of the key's SPKI, in hex: two people compare it to see that they have the same key.
func (k PublicKey) Fingerprint() string { return fmt.Sprintf("%x", sha256.Sum256(k.spki())) }

// MarshalText returns the key's SPKI as base64, in the form of journal entries.
func (k PublicKey) MarshalText() ([]byte, error) {
	return []byte(base64.StdEncoding.EncodeToString(k.spki())), nil
}

// UnmarshalText reads the output of MarshalText.
func (k *PublicKey) UnmarshalText(text []byte) error {
	der, err := decode64(string(text))
	if err != nil {
		return errors.New("it is no public key: want the SPKI as base64")
	}
	parsed, err := parseSPKI(der)
	if err == nil && base64.StdEncoding.EncodeToString(parsed.spki()) != string(text) {
		err = errors.New("it is no public key: it is not spelt as Houndtrail spells one")
	}
	if err == nil {
		*k = parsed
	}
	return err
}

const (
	privateType = "PRIVATE KEY"
	publicType  = "PUBLIC KEY"
)

// PEM is the public key in the form that openssl reads. The text about comes before it. PEM readers ignore that text, and it may
// be empty.
func (k PublicKey) PEM(about string) []byte { return encodePEM(about, publicType, k.spki()) }

// PrivatePEM is the private key in the form that openssl reads (PKCS#8), with a text before it. A reader of these bytes can sign.
func PrivatePEM(key ed25519.PrivateKey, about string) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return encodePEM(about, privateType, der), nil
}

func encodePEM(about, kind string, der []byte) []byte {
	if about = strings.TrimRight(strings.ReplaceAll(about, "-----", "- - -"), "\n"); about != "" {
		about += "\n"
	}
	return append([]byte(about), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})...)
}

// ParsePrivateKey reads the one private key in a PEM file. Its errors never have a part of the file.
func ParsePrivateKey(file []byte) (ed25519.PrivateKey, error) {
	der, err := parsePEM(file, privateType)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, errors.New("the private key is damaged: restore the file, or make a new key with houndtrail keygen")
	}
	private, ok := key.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("the private key is a %T, and only Ed25519 signs journals: make a key with houndtrail keygen", key)
	}
	return private, nil
}

// ParsePublicKey reads the one public key in a PEM file.
func ParsePublicKey(file []byte) (PublicKey, error) {
	der, err := parsePEM(file, publicType)
	if err != nil {
		return PublicKey{}, err
	}
	return parseSPKI(der)
}

// ReadPublicKey reads the public key in a PEM file, or the public part of the private key in it.
func ReadPublicKey(file []byte) (PublicKey, error) {
	if block, _ := pem.Decode(file); block != nil && strings.HasSuffix(block.Type, privateType) {
		key, err := ParsePrivateKey(file)
		if err != nil {
			return PublicKey{}, err
		}
		return PublicOf(key), nil
	}
	return ParsePublicKey(file)
}

func parseSPKI(der []byte) (PublicKey, error) {
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return PublicKey{}, errors.New("the public key is damaged: ask the owner of the journal for it again")
	}
	public, ok := key.(ed25519.PublicKey)
	if !ok {
		return PublicKey{}, fmt.Errorf("the public key is a %T, and only Ed25519 signs journals", key)
	}
	return PublicKey(public), nil
}

// parsePEM returns the content of the only block of a PEM file.
func parsePEM(file []byte, kind string) ([]byte, error) {
	block, rest := pem.Decode(file)
	want := strings.ToLower(kind)
	switch {
	case block == nil:
		return nil, fmt.Errorf("it has no %s: want PEM, a text with the line -----BEGIN %s-----", want, kind)
	case bytes.Contains(rest, []byte("-----BEGIN")):
		return nil, fmt.Errorf("it has more than one key: want a file for each %s", want)
	case block.Type == "ENCRYPTED "+privateType:
		return nil, errors.New("the private key is encrypted, and Houndtrail asks for no passphrase: " +
			"write it out with openssl pkey, into a file that only Houndtrail's user can read")
	case block.Type != kind:
		return nil, fmt.Errorf("it has a %s, and no %s", strings.ToLower(block.Type), want)
	}
	return block.Bytes, nil
}
