package config

import (
	"crypto/ed25519"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"

	"github.com/houndtrail/houndtrail/checkpoint/seal"
)

// SigningKeys are the private keys that sign the journals, in one text of PEM blocks, the oldest key first.
type SigningKeys struct {
	Secret
}

// exposed are the permissions that a key's file must not give: reading to other users, writing to any but the owner.
const exposed = 0o026

// Keys are the keys; none if none are set. Its errors never have a part of the text.
func (s SigningKeys) Keys() ([]ed25519.PrivateKey, error) {
	if !s.IsSet() {
		return nil, nil
	}
	if err := s.private(); err != nil {
		return nil, err
	}
	text, err := s.text()
	if err != nil {
		return nil, err
	}
	var keys []ed25519.PrivateKey
	for block, rest := pem.Decode([]byte(text)); block != nil; block, rest = pem.Decode(rest) {
		key, err := seal.ParsePrivateKey(pem.EncodeToMemory(block))
		if err != nil {
			return nil, fmt.Errorf("key %d in %s: %w", len(keys)+1, s.place(), err)
		}
		if slices.ContainsFunc(keys, func(other ed25519.PrivateKey) bool { return other.Equal(key) }) {
			return nil, fmt.Errorf("key %d in %s is there twice; leave it out", len(keys)+1, s.place())
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, errors.New(s.place() + " has no PEM block; want the private key that houndtrail keygen has written, " +
			"with its lines -----BEGIN PRIVATE KEY----- and -----END PRIVATE KEY-----")
	}
	return keys, nil
}

// PublicKeys is the path of a file with the public keys that may have signed the journals, as PEM blocks one after another, or "".
type PublicKeys string

// maxKeyFile bounds a file of public keys, in bytes: one key has 120.
const maxKeyFile = 64 << 10

// Keys are the keys; none if no file is set.
func (f PublicKeys) Keys() (keys []seal.PublicKey, err error) {
	if f == "" {
		return nil, nil
	}
	text, err := readSmall(string(f), maxKeyFile)
	if err != nil {
		return nil, err
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		key, err := seal.ParsePublicKey(pem.EncodeToMemory(block))
		if err != nil {
			return nil, fmt.Errorf("file %s: key %d: %w", string(f), len(keys)+1, err)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("file %s: it has no PEM block; want the file .pub.pem that houndtrail keygen has written", string(f))
	}
	return keys, nil
}

func (f PublicKeys) check() error {
	_, err := f.Keys()
	return err
}

// private refuses a file that other users of the machine can read: they could sign in the owner's name.
func (s SigningKeys) private() error {
	if s.file == "" || runtime.GOOS == "windows" { // which has no such permissions
		return nil
	}
	info, err := os.Stat(s.file)
	if err != nil {
		return fmt.Errorf("cannot read the file: %w", err)
	}
	if mode := info.Mode(); mode.IsRegular() && mode.Perm()&exposed != 0 {
		return fmt.Errorf("file %s has the permissions %04o, so other users can read or replace the key; run chmod 600 on it, or mount "+
			"the secret with mode 0400 or 0440; if it lay open for long, replace the key", s.file, mode.Perm())
	}
	return nil
}

func (s SigningKeys) check() error {
	_, err := s.Keys()
	return err
}
