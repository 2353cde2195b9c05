package archive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
)

// quarantine is the folder for what is no record. It lies beside the archive's own, so that no query reads it.
const quarantine = "quarantine"

// Quarantine keeps the bytes of a record that cannot be parsed, exactly as they were served, until a person has looked
// at them. They are durable when it returns without an error. The object is named by their SHA-256, which it returns
// too: the same bytes again are the same object.
func (a *Archive) Quarantine(ctx context.Context, raw []byte) (key, sha string, err error) {
	sum := sha256.Sum256(raw)
	sha = hex.EncodeToString(sum[:])
	key = quarantine + "/tenant=" + a.tenant + "/" + sha + ".json"
	if err := a.put(ctx, key, raw); err != nil {
		return "", "", err
	}
	return key, sha, nil
}
