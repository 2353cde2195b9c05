package transport

import "crypto/fips140"

// approvedKey is the shortest key of an HMAC that FIPS 140-3 approves, in bytes: NIST SP 800-131A asks for 112 bits.
const approvedKey = 14

// LeastKey is the number of bytes that the key of a signature needs. If the program runs with GODEBUG=fips140=only, Go's HMAC panics on
// a shorter key than FIPS 140-3 approves. So a caller asks first, and names the secret to replace. Otherwise every key will do.
func LeastKey() int {
	if fips140.Enforced() {
		return approvedKey
	}
	return 0
}
