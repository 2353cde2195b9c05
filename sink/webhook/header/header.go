// Package header checks the headers that a user adds to every request. It is the only check: the settings and the sink both call
// it.
package header

import (
	"errors"
	"fmt"
	"net/textproto"
	"strings"
	"unicode"

	"github.com/houndtrail/houndtrail/config/setting"
)

// Check tells why Houndtrail cannot add a header. Its error continues a sentence about the header, such as "entry 2 in the file",
// and never quotes the value. It quotes the name only if Houndtrail knows the header: any other name may be a secret in the wrong
// place.
func Check(name, value string) error {
	switch canonical := textproto.CanonicalMIMEHeaderKey(name); canonical {
	case "Authorization":
		return errors.New("sets Authorization: put its value into " + setting.WebhookAuthorization)
	case "Connection", "Content-Encoding", "Content-Length", "Host", "Idempotency-Key", "Transfer-Encoding":
		return fmt.Errorf("sets %s, which Houndtrail itself sets for each batch: leave it out", canonical)
	}
	switch {
	case !validName(name):
		return errors.New("has a name that HTTP does not allow: write Name: value, with letters, digits and hyphens in the name " +
			"(not shown, since it may be secret)")
	case !ValidValue(value):
		return errors.New("has a line break or another control character in its value: take it out (not shown, since it may be secret)")
	}
	return nil
}

func validName(name string) bool {
	const allowed = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" // a token of RFC 9110, 5.6.2
	return name != "" && strings.Trim(name, allowed) == ""
}

// ValidValue tells whether a text can be the value of a header. Without it, net/http would refuse a line break only at each
// attempt, and that looks like a broken connection.
func ValidValue(value string) bool { return !strings.ContainsFunc(value, unicode.IsControl) }
