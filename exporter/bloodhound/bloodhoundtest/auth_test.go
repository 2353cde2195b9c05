package bloodhoundtest_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"houndtrail/exporter/bloodhound/bloodhoundtest"
)

// signed are the headers of a signed request: the test's own signing, since the double's is what is tested.
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
		d := newDouble(bloodhoundtest.V84)
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
	with := func(name, value string) []header { return append(good[:len(good):len(good)], header{name, value}) }
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
		{"no bearer token", with("Authorization", "Bearer x"), 401, "Token Authorization failed."},
		{"no uuid", with("Authorization", "bhesignature x"), 400, "Token ID is malformed."},
		{"no date", with("RequestDate", ""), 400, unable},
		{"bad date", with("RequestDate", "today"), 400, unable},
		{"no signature", with("Signature", ""), 400, unable},
		{"no base64", with("Signature", "?"), 400, unable},
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
			401, unable + "signature too far ahead by 60 minutes. Server time is 2026-01-15T12:34:56Z. Client time is 2026-01-15T13:34:57Z",
		},
		{"61 minutes behind", at(-61 * time.Minute), 401, unable + "signature too far behind by 61 minutes. "},
		{"any case of the scheme", with("Authorization", "BHESignature "+tokenID), 200, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newDouble(bloodhoundtest.V84).get(auditPath, tt.headers...)
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
	w := newDouble(bloodhoundtest.V84).get(auditPath, header{"Authorization", "Basic eDp5"})
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
	d := newDoubleWith(bloodhoundtest.Options{Skew: 61 * time.Minute})
	w := d.get(auditPath, signed(auditPath, "2026-01-15T12:34:56Z")...)
	wantError(t, w, 401, "unable to validate request signature for client: signature too far behind by 61 minutes.")
	date, err := http.ParseTime(w.Header().Get("Date"))
	if err != nil || !date.Equal(noon.Add(61*time.Minute)) {
		t.Errorf("Date %q: %v", w.Header().Get("Date"), err)
	}
}

func TestCredentialsCanBeTakenAway(t *testing.T) {
	signature := signed(auditPath, "2026-01-15T12:34:56Z")
	const unable = "unable to validate request signature for client: "
	t.Run("revoked", func(t *testing.T) {
		d := newDouble(bloodhoundtest.V84)
		d.Revoke(tokenID)
		wantError(t, d.get(auditPath, signature...), 401, unable+"resource not found")
	})
	t.Run("disabled", func(t *testing.T) {
		d := newDouble(bloodhoundtest.V84)
		d.Disable(reader)
		d.Disable("nobody")
		wantError(t, d.get(auditPath, signature...), 403, unable+"user disabled")
		wantError(t, d.get(auditPath), 403, "user disabled")
		wantError(t, d.login(loginBody(reader, "secret")), 403, "user disabled")
	})
	t.Run("no permission", func(t *testing.T) {
		d := newDouble(bloodhoundtest.V84)
		d.AllowAudit(false)
		wantError(t, d.get(auditPath, signature...), 403, "not authorized")
		if w := d.get("/api/version", signed("/api/version", "2026-01-15T12:34:56Z")...); w.Code != 200 {
			t.Errorf("version needs no permission, got %d", w.Code)
		}
		d.AllowAudit(true)
		d.page(t, "", signature...)
	})
}

func loginBody(user, secret string) string {
	return `{"login_method":"secret","username":"` + user + `","secret":"` + secret + `"}`
}

func (d *double) login(body string, headers ...header) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/api/v2/login", strings.NewReader(body))
	return d.do(r, append([]header{{"Content-Type", "application/json"}}, headers...)...)
}

type loginReply struct {
	Data struct {
		UserID  string `json:"user_id"`
		Expired bool   `json:"auth_expired"`
		Token   string `json:"session_token"`
	} `json:"data"`
}

func (d *double) session(t *testing.T) loginReply {
	t.Helper()
	w := d.login(loginBody(reader, "secret"))
	var reply loginReply
	if err := json.Unmarshal(w.Body.Bytes(), &reply); w.Code != 200 || err != nil {
		t.Fatalf("login: %d %s", w.Code, w.Body)
	}
	return reply
}

func TestLogin(t *testing.T) {
	d := newDouble(bloodhoundtest.V84)
	reply := d.session(t)
	if reply.Data.UserID == "" || reply.Data.Expired {
		t.Errorf("reply %+v", reply)
	}
	parts := strings.Split(reply.Data.Token, ".")
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		JTI, Sub string
		Iat, Exp int64
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	if claims.JTI != "2" || claims.Sub != reply.Data.UserID || claims.Exp-claims.Iat != 8*3600 || claims.Iat != noon.Unix() {
		t.Errorf("claims %+v", claims)
	}
	bearer := header{"Authorization", "bearer " + reply.Data.Token}
	d.page(t, "", bearer)
	forged := header{"Authorization", "Bearer " + parts[0] + "." + parts[1] + "." + strings.Repeat("A", 43)}
	wantError(t, d.get(auditPath, forged), 401, "Token Authorization failed.")

	d.clock.Advance(8*time.Hour - time.Second)
	d.page(t, "", bearer)
	d.clock.Advance(time.Second)
	wantError(t, d.get(auditPath, bearer), 401, "Token Authorization failed.")

	bearer.value = "Bearer " + d.session(t).Data.Token
	d.page(t, "", bearer)
	d.ExpireSessions()
	wantError(t, d.get(auditPath, bearer), 401, "Token Authorization failed.")
}

func TestLoginRefusals(t *testing.T) {
	users := []bloodhoundtest.User{
		{Name: reader, Password: "secret"}, {Name: "mfa", Password: "p", OTP: "123456"}, {Name: "sso"},
	}
	for _, tt := range []struct {
		profile bloodhoundtest.Profile
		body    string
		headers []header
		status  int
		message string
	}{
		{bloodhoundtest.V84, loginBody(reader, "x"), nil, 401, "authentication is invalid"},
		{bloodhoundtest.V84, loginBody("ghost", "x"), nil, 401, "authentication is invalid"},
		{bloodhoundtest.V84, loginBody("sso", ""), nil, 401, "authentication is invalid"},
		{bloodhoundtest.Legacy2024, loginBody("ghost", "x"), nil, 404, "resource not found"},
		{bloodhoundtest.V84, loginBody("mfa", "p"), nil, 400, "one time password is invalid"},
		{bloodhoundtest.V84, `{"login_method":"magic"}`, nil, 400, ""},
		{bloodhoundtest.V84, `{`, nil, 400, ""},
		{bloodhoundtest.V84, loginBody(reader, "secret"), []header{{"Content-Type", "text/plain"}}, 400, "content type must be application/json"},
	} {
		d := newDoubleWith(bloodhoundtest.Options{Profile: tt.profile, Users: users})
		wantError(t, d.login(tt.body, tt.headers...), tt.status, tt.message)
	}
}

func TestExpiredPasswordCutsTheSessionDownButNotTheToken(t *testing.T) {
	d := newDouble(bloodhoundtest.V84)
	d.ExpirePassword(reader)
	reply := d.session(t)
	if !reply.Data.Expired {
		t.Error("auth_expired is false")
	}
	wantError(t, d.get(auditPath, header{"Authorization", "Bearer " + reply.Data.Token}), 403, "not authorized")
	d.page(t, "", signed(auditPath, "2026-01-15T12:34:56Z")...)
}

func TestLoginLeavesTwoRows(t *testing.T) {
	for _, tt := range []struct {
		profile        bloodhoundtest.Profile
		secret         string
		intent, second string
		status         string
	}{
		{bloodhoundtest.V84, "secret", `{"auth_type":"secret","username":"reader"}`, `{"auth_type":"secret","username":"reader"}`, "success"},
		{bloodhoundtest.V84, "x", `{"auth_type":"secret","username":"reader"}`, `{"auth_type":"secret","error":{},"username":"reader"}`, "failure"},
		{bloodhoundtest.Legacy2024, "x", `{"username":"reader"}`, `{"error":"invalid authentication","username":"reader"}`, "failure"},
	} {
		d := newDouble(tt.profile)
		w := d.login(loginBody(reader, tt.secret))
		logs := d.page(t, "?sort_by=id").Data.Logs
		if len(logs) != 2 {
			t.Fatalf("%d rows", len(logs))
		}
		first, second := logs[0], logs[1]
		if string(first.Fields) != tt.intent || first.Status != "intent" || first.ActorName != "" {
			t.Errorf("intent %+v %s", first, first.Fields)
		}
		if string(second.Fields) != tt.second || second.Status != tt.status || second.ActorName != reader {
			t.Errorf("outcome %+v %s", second, second.Fields)
		}
		if first.CommitID != second.CommitID || first.RequestID != w.Header().Get("Requestid") || second.RequestID != first.RequestID {
			t.Errorf("the rows are not a pair: %+v %+v", first, second)
		}
	}
}
