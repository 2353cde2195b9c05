package bloodhoundtest_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	bt "github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
)

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
	d := newDouble(bt.V84)
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
		JTI string `json:"jti"`
		Sub string `json:"sub"`
		Iat int64  `json:"iat"`
		Exp int64  `json:"exp"`
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
	wantError(t, d.get(auditPath, forged), 401, "authentication is invalid")

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
	users := []bt.User{
		{Name: reader, Password: "secret"}, {Name: "mfa", Password: "p", OTP: "123456"}, {Name: "sso"},
	}
	for _, tt := range []struct {
		profile bt.Profile
		body    string
		headers []header
		status  int
		message string
	}{
		{bt.V84, loginBody(reader, "x"), nil, 401, "authentication is invalid"},
		{bt.V84, loginBody("ghost", "x"), nil, 404, "resource not found"},
		{bt.V84, loginBody("READER", "secret"), nil, 404, "resource not found"},
		{bt.Documented, loginBody("ghost", "x"), nil, 401, "authentication is invalid"},
		{bt.V84, loginBody("sso", ""), nil, 401, "authentication is invalid"},
		{bt.Legacy2024, loginBody("ghost", "x"), nil, 404, "resource not found"},
		{bt.V84, loginBody("mfa", "p"), nil, 400, "one time password is invalid"},
		{bt.V84, `{"login_method":"magic"}`, nil, 400, "Login method magic is not supported."},
		{bt.V84, `{`, nil, 400, "could not decode limited payload request into value: unexpected EOF"},
		{
			bt.V84, loginBody(reader, "secret"),
			[]header{{"Content-Type", "text/plain"}},
			400, "content type must be application/json",
		},
	} {
		d := newDoubleWith(bt.Options{Profile: tt.profile, Users: users})
		wantError(t, d.login(tt.body, tt.headers...), tt.status, tt.message)
	}
}

func TestExpiredPasswordCutsTheSessionDownButNotTheToken(t *testing.T) {
	d := newDouble(bt.V84)
	d.ExpirePassword(reader)
	reply := d.session(t)
	if !reply.Data.Expired {
		t.Error("auth_expired is false")
	}
	wantError(t, d.get(auditPath, header{"Authorization", "Bearer " + reply.Data.Token}), 403, "not authorized")
	d.page(t, "", signed(auditPath, "2026-01-15T12:34:56Z")...)
}

func TestLoginLeavesTwoRows(t *testing.T) {
	const attempt = `{"auth_type":"secret","username":"reader"}`
	for _, tt := range []struct {
		profile        bt.Profile
		secret         string
		intent, second string
		status         string
	}{
		{bt.V84, "secret", attempt, attempt, "success"},
		{bt.V84, "x", attempt, `{"auth_type":"secret","error":{},"username":"reader"}`, "failure"},
		{bt.Legacy2024, "x", `{"username":"reader"}`, `{"error":"invalid authentication","username":"reader"}`, "failure"},
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
		if first.CommitID != second.CommitID || second.RequestID != first.RequestID ||
			first.RequestID != w.Header().Get("Requestid") {
			t.Errorf("the rows are not a pair: %+v %+v", first, second)
		}
	}
}
