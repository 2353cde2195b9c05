package api

import (
	"encoding/binary"
	"math/rand/v2"

	"github.com/google/uuid"
)

// ZeroUUID is the text that the server prints for a missing commit id.
const ZeroUUID = "00000000-0000-0000-0000-000000000000"

// NewUUID is a version 4 UUID that the generator decides.
func NewUUID(r *rand.Rand) string {
	var u uuid.UUID
	binary.BigEndian.PutUint64(u[:8], r.Uint64())
	binary.BigEndian.PutUint64(u[8:], r.Uint64())
	const version, variant = 6, 8 // bytes of RFC 9562 that say what kind of UUID it is
	u[version] = u[version]&0x0f | 0x40
	u[variant] = u[variant]&0x3f | 0x80
	return u.String()
}
