package bloodhoundtest_test

import (
	"testing"
	"time"

	bt "github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
)

func TestDateOfItsOwn(t *testing.T) {
	d := newDoubleWith(bt.Options{Date: bt.DateAhead(55 * time.Minute)})
	check := func(want string) {
		t.Helper()
		w := d.get(auditPath, signed(auditPath, "2026-01-15T12:34:56Z")...) // the signature knows the clock
		if got := w.Header().Get("Date"); got != want || w.Code != 200 {
			t.Errorf("%d, Date %q, want %q", w.Code, got, want)
		}
	}
	check("Thu, 15 Jan 2026 13:29:56 GMT")
	for want, rule := range map[string]bt.DateRule{
		"Wed, 14 Jan 2026 16:34:56 GMT": bt.DateAhead(-20 * time.Hour),
		"Wed, 15 Jan 2020 12:34:56 GMT": bt.DateFixed(noon.AddDate(-6, 0, 0)),
		"Fri, 31 Dec 9999 23:59:59 GMT": bt.DateFixed(time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)),
		"Thu, 15 Jan 2026 12:34:56 GMT": nil,
	} {
		d.SetDate(rule)
		check(want)
	}
	d.SetDate(bt.DateAhead(time.Hour))
	d.login(loginBody(reader, "x"))
	if at := d.Rows()[0].CreatedAt; !at.Equal(noon) {
		t.Errorf("a row is stamped %s: the Date header is not the server's clock", at)
	}
	d.clock.Advance(time.Minute)
	if got, want := d.get("/health").Header().Get("Date"), "Thu, 15 Jan 2026 13:35:56 GMT"; got != want {
		t.Errorf("Date %q, want %q: it goes on with the clock", got, want)
	}
}
