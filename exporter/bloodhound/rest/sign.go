package rest

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/config/setting"
	"github.com/houndtrail/houndtrail/exporter/transport"
)

// allowedSkew is how far the time of a signature may be wrong. If it is further off, the server refuses the signature.
const allowedSkew = time.Hour

// Token authenticates with an API token: the client signs every request, and never sends the key. It is the
// recommended way: a token needs no second factor and no login, which would itself write to the audit log.
//
// The id is the token's UUID. The key is used as the text that BloodHound showed, not base64-decoded.
func Token(id string, key func() (string, error)) Authenticator {
	return token{strings.TrimSpace(id), key}
}

type token struct {
	id  string
	key func() (string, error)
}

// authorize signs with the local clock, not with the server's clock of a Date header. If this machine's clock is an hour off,
// the user has to repair it: if Houndtrail hid that fault, it would cause trouble elsewhere.
func (t token) authorize(_ context.Context, _ *Client, r *http.Request, body []byte) error {
	key, err := secret("the API token's key", t.key)
	if err != nil {
		return err
	}
	if least := transport.LeastKey(); len(key) < least {
		return fmt.Errorf("the API token's key has %d bytes, and a signature with GODEBUG=fips140=only needs %d: set "+
			setting.BloodHoundTokenKey+" to the whole key", len(key), least)
	}
	date := time.Now().UTC().Format(time.RFC3339)
	r.Header.Set("Authorization", "bhesignature "+t.id)
	r.Header.Set("RequestDate", date)
	r.Header.Set("Signature", signature(key, r.Method, r.URL.RequestURI(), date, body))
	return nil
}

// signature chains three HMAC-SHA256: of method and request target, of the date up to its hour, of the body. The target is the
// path and the raw query exactly as on the wire. The date is RFC 3339. The hour is the one that the date shows, in every time
// zone.
func signature(key, method, target, date string, body []byte) string {
	const hour = len("2006-01-02T15")
	sum := mac([]byte(key), []byte(method+target))
	sum = mac(sum, []byte(date[:hour]))
	return base64.StdEncoding.EncodeToString(mac(sum, body))
}

func mac(key, data []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(data)
	return h.Sum(nil)
}

// refused never asks for another try, since the same signature would fail again. For the next request the client reads the key
// anew.
func (token) refused(*http.Request) bool { return false }

func (t token) explain(e *Error, r *http.Request) string {
	if e.Kind == Forbidden {
		return ""
	}
	said := strings.ToLower(e.Message)
	signed, _ := time.Parse(time.RFC3339, r.Header.Get("RequestDate"))
	switch skew := skewOf(signed, e.Date); {
	case e.Kind == Unauthorized && skew.Abs() >= allowedSkew, strings.Contains(said, "too far"):
		return explainSkew(skew, signed, e.Date)
	case strings.Contains(said, "resource not found"):
		return "the server does not know the API token " + t.id + ": it was deleted, or " + setting.BloodHoundTokenID + " " +
			"is another server's; create a token and set its id and key"
	case strings.Contains(said, "digest"):
		return setting.BloodHoundTokenKey + " does not belong to the token " + t.id + " (use the key exactly as shown, " +
			"it is not decoded), or a proxy changes the path on its way, which breaks signatures"
	case strings.Contains(said, "token id"):
		return "set " + setting.BloodHoundTokenID + " to the token's UUID"
	case strings.Contains(said, "not authenticated"):
		return "the credentials did not arrive: a proxy on the way removes the Authorization header"
	case e.Kind == Unauthorized:
		return "check that the API token " + t.id + " exists, has not expired, and that API tokens are switched on for " +
			"this server"
	default:
		return ""
	}
}

// skewOf is how far the local clock is ahead of the server's; 0 if that is not known.
func skewOf(local, server time.Time) time.Duration {
	if local.IsZero() || server.IsZero() {
		return 0
	}
	return local.Sub(server)
}

func explainSkew(skew time.Duration, local, server time.Time) string {
	const next = "the server refuses signatures that are more than an hour off: set this machine's clock (NTP)"
	if skew == 0 {
		return "the clocks of this machine and of the server differ too much; " + next
	}
	side := "ahead of"
	if skew < 0 {
		side = "behind"
	}
	return fmt.Sprintf("this machine's clock is %d minutes %s the server's (here %s, server %s); %s",
		int(skew.Abs().Round(time.Minute)/time.Minute), side,
		local.UTC().Format(time.RFC3339), server.UTC().Format(time.RFC3339), next)
}
