package archive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// quarantine is the folder for elements that are no records. It lies beside the archive's own folder, so that no query reads it.
const quarantine = "quarantine"

// Quarantine keeps the bytes of an element that is no record, exactly as the server sent them, until a person has looked at
// them. When it returns without an error, they are durable. The name of the object is their SHA-256, which Quarantine returns
// too. The same bytes again are the same object.
func (a *Archive) Quarantine(ctx context.Context, raw []byte) (key, sha string, err error) {
	sum := sha256.Sum256(raw)
	sha = hex.EncodeToString(sum[:])
	key = quarantineOf(a.tenant) + sha + ".json"
	if err := a.put(ctx, key, raw); err != nil {
		return "", "", err
	}
	return key, sha, nil
}

func quarantineOf(tenant string) string { return quarantine + "/tenant=" + tenant + "/" }

// Quarantined tells whether a key is one that Quarantine makes for a tenant's bytes.
func Quarantined(tenant, key string) bool { return strings.HasPrefix(key, quarantineOf(tenant)) }
