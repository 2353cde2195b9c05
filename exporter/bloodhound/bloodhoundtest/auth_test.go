package bloodhoundtest_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	bt "github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
)

// signed are the headers of a signed request. The test signs by itself, since it tests the double's signing.
func signed(target, date string) []header {
	mac := func(key []byte, data string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(data))
		return h.Sum(nil)
	}
	sum := mac(mac(mac([]byte(tokenKey), "GET"+target), date[:13]), "")
	return signedWith(date, base64.StdEncoding.EncodeToString(sum))
}

func signedWith(date, signature string) []header {
	return []header{{"Authorization", "bhesignature " + tokenID}, {"RequestDate", date}, {"Signature", signature}}
}

// The vectors were computed with two other implementations of HMAC.
func TestSignatureVectors(t *testing.T) {
	for _, tt := range []struct{ target, date, signature string }{
		{auditPath, "2026-01-15T12:34:56Z", "1B59jryLvsAGphMNGa2CeLEqLN6koNHLnTudjQTFYl4="},
		{
			auditPath + "?limit=1000&skip=0&sort_by=id", "2026-01-15T12:34:56Z",
			"t5wnMoDuPh1X3scapkRuSNDlx90o4+Pf3gX467ZjfNA=",
		},
		{
			auditPath + "?after=2026-01-15T00%3A00%3A00Z&before=2026-01-15T12%3A00%3A00Z&limit=1000", "2026-01-15T12:34:56Z",
			"F5MRAKbGVeCsb7Et+fjp53YOn5cHijlAMrgqYfULAWk=",
		},
		{auditPath, "2026-01-15T14:34:56.123456+02:00", "MVtxXpLhvTg7TqKZ3btIVgz16OUF9PWtBjQu4uIVqSc="},
	} {
		d := newDouble(bt.V84)
		if w := d.get(tt.target, signedWith(tt.date, tt.signature)...); w.Code != http.StatusOK {
			t.Errorf("%s at %s: %d %s", tt.target, tt.date, w.Code, w.Body)
		}
		other := strings.Replace(tt.target, auditPath, auditPath+"?x=1&", 1)
		if w := d.get(other, signedWith(tt.date, tt.signature)...); w.Code != http.StatusUnauthorized {
			t.Errorf("%s: the signature of another target gave %d", tt.target, w.Code)
		}
	}
}

func TestRefusals(t *testing.T) {
	const unable = "unable to validate request signature for client: "
	good := signed(auditPath, "2026-01-15T12:34:56Z")
	with := func(name, value string) []header { return append(slices.Clip(good), header{name, value}) }
	at := func(offset time.Duration) []header {
		return signed(auditPath, noon.Add(offset).Format(time.RFC3339))
	}
	for _, tt := range []struct {
		name    string
		headers []header
		status  int
		message string
	}{
		{"nothing", []header{{"Authorization", ""}}, 401, "not authenticated"},
		{"one part", with("Authorization", "Bearer"), 400, "Expected only two components for the Authorization header."},
		{"three parts", with("Authorization", "Bearer a b"), 400, "Expected only two components"},
		{"no bearer token", with("Authorization", "Bearer x"), 401, "authentication is invalid"},
		{"no uuid", with("Authorization", "bhesignature x"), 400, "Token ID is malformed."},
		{"no date", with("RequestDate", ""), 400, unable + "no request date header"},
		{"bad date", with("RequestDate", "today"), 400, unable + "malformed request date: malformed request date: parsing"},
		{"no signature", with("Signature", ""), 400, unable + "no signature header"},
		{"no base64", with("Signature", "?"), 400, unable + "malformed signature header: illegal base64"},
		{
			"unknown token", with("Authorization", "bhesignature 00000000-0000-4000-8000-000000000000"),
			401, unable + "resource not found",
		},
		{
			"wrong signature", with("Signature", "AAAA"),
			401, unable + "digest validation failed: signature digest mismatch",
		},
		{"an hour ahead", at(time.Hour), 200, ""},
		{"an hour behind", at(-time.Hour), 200, ""},
		{
			"more than an hour ahead", at(time.Hour + time.Second),
			401, unable + "signature too far ahead by 0.02 minutes. Server time is 2026-01-15T12:34:56Z. " +
				"Client time is 2026-01-15T13:34:57Z",
		},
		{"61 minutes behind", at(-61 * time.Minute), 401, unable + "signature too far behind by 1.00 minutes. "},
		{"any case of the token's id", with("Authorization", "bhesignature "+strings.ToUpper(tokenID)), 200, ""},
		{"any case of the scheme", with("Authorization", "BHESignature "+tokenID), 200, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newDouble(bt.V84).get(auditPath, tt.headers...)
			if tt.status == 200 {
				if w.Code != 200 {
					t.Errorf("got %d %s, want 200", w.Code, w.Body)
				}
				return
			}
			wantError(t, w, tt.status, tt.message)
			if w.Header().Get("WWW-Authenticate") != "" {
				t.Error("the servers send no WWW-Authenticate")
			}
		})
	}
}

func TestUnknownSchemeLeavesTwoErrorsInOneBody(t *testing.T) {
	w := newDouble(bt.V84).get(auditPath, header{"Authorization", "Basic eDp5"})
	wantError(t, w, 400, "Unexpected authorization scheme: Basic.")
	dec := json.NewDecoder(w.Body)
	var first, second apiError
	if err := dec.Decode(&first); err != nil {
		t.Fatal(err)
	}
	if err := dec.Decode(&second); err != nil || second.Status != 401 {
		t.Errorf("second value: %+v, %v", second, err)
	}
}

func TestSkewMovesTheWholeServer(t *testing.T) {
	d := newDoubleWith(bt.Options{Skew: 61 * time.Minute})
	w := d.get(auditPath, signed(auditPath, "2026-01-15T12:34:56Z")...)
	wantError(t, w, 401, "unable to validate request signature for client: signature too far behind by 1.00 minutes.")
	date, err := http.ParseTime(w.Header().Get("Date"))
	if err != nil || !date.Equal(noon.Add(61*time.Minute)) {
		t.Errorf("Date %q: %v", w.Header().Get("Date"), err)
	}
}

func TestCredentialsCanBeTakenAway(t *testing.T) {
	signature := signed(auditPath, "2026-01-15T12:34:56Z")
	const unable = "unable to validate request signature for client: "
	t.Run("revoked", func(t *testing.T) {
		d := newDouble(bt.V84)
		d.Revoke(tokenID)
		wantError(t, d.get(auditPath, signature...), 401, unable+"resource not found")
	})
	t.Run("disabled", func(t *testing.T) {
		d := newDouble(bt.V84)
		d.Disable(reader)
		d.Disable("unknown")
		wantError(t, d.get(auditPath, signature...), 403, unable+"user disabled")
		wantError(t, d.get(auditPath), 403, "user disabled")
		wantError(t, d.login(loginBody(reader, "secret")), 403, "user disabled")
	})
	t.Run("no permission", func(t *testing.T) {
		d := newDouble(bt.V84)
		d.AllowAudit(false)
		wantError(t, d.get(auditPath, signature...), 403, "not authorized")
		if w := d.get("/api/version", signed("/api/version", "2026-01-15T12:34:56Z")...); w.Code != 200 {
			t.Errorf("version needs no permission, got %d", w.Code)
		}
		d.AllowAudit(true)
		d.page(t, "", signature...)
	})
}
