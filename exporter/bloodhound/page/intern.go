package page

import "encoding/binary"

// An Interner lets equal short strings use the same memory. Few actors, actions and addresses make up most of a log. After the
// scan, other code compares and hashes them again. The processor's cache holds one copy, but not a million copies.
type Interner [1 << 11]string

// longestInterned keeps long values, which hardly ever repeat, out of the memory.
const longestInterned = 64

func (t *Interner) of(b []byte) string {
	if len(b) > longestInterned {
		return view(b)
	}
	slot := &t[hash(b)%uint64(len(t))]
	if *slot != string(b) {
		*slot = string(b)
	}
	return *slot
}

// hash looks at the length and both ends. In one log, that tells the values apart well enough.
func hash(b []byte) uint64 {
	const prime = 0x9e3779b97f4a7c15
	h := uint64(len(b))
	if len(b) >= 8 {
		h ^= binary.LittleEndian.Uint64(b) * prime
		h = h>>32 ^ h ^ binary.LittleEndian.Uint64(b[len(b)-8:])
	} else {
		for _, c := range b {
			h = h<<8 | uint64(c)
		}
	}
	return h * prime >> 40
}
