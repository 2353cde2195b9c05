package rest

import (
	"encoding/base64"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest/resttest"
)

func TestBearer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := jwtFor(1, time.Now(), time.Hour)
		second := jwtFor(2, time.Now(), 3*time.Hour)
		g := &gate{valid: map[string]bool{first: true}}
		file := first + "\n"
		c := newClient(t, Options{Auth: Bearer(func() (string, error) { return file, nil }), Transport: g})
		if _, err := get(t.Context(), c, "/api/v2/audit"); err != nil {
			t.Fatal(err)
		}
		// The file is replaced: first between two requests, then while a request is under way.
		file, g.valid = second, map[string]bool{second: true}
		if _, err := get(t.Context(), c, "/api/v2/audit"); err != nil {
			t.Fatal(err)
		}
		reads := 0
		b := Bearer(func() (string, error) { reads++; return []string{first, second, second}[reads-1], nil })
		c = newClient(t, Options{Auth: b, Transport: g})
		if _, err := get(t.Context(), c, "/api/v2/audit"); err != nil {
			t.Fatal(err)
		}
		pages := g.pages
		file = first
		time.Sleep(2 * time.Hour)
		c = newClient(t, Options{Auth: Bearer(func() (string, error) { return file, nil }), Transport: g})
		_, err := get(t.Context(), c, "/api/v2/audit")
		resttest.WantText(t, err, "the JWT expired at 2000-01-01T01:00:00Z", "HOUNDTRAIL_BLOODHOUND_JWT")
		file, g.valid = second, nil
		_, err = get(t.Context(), c, "/api/v2/audit")
		resttest.WantText(t, err, "not valid, or its session was ended")
		if g.pages != pages+2 {
			t.Errorf("%d requests for two refusals", g.pages-pages)
		}
	})
}

func TestLifeOf(t *testing.T) {
	at := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	issued, expires, ok := Life(jwtFor(7, at, 8*time.Hour))
	if !ok || !issued.Equal(at) || !expires.Equal(at.Add(8*time.Hour)) {
		t.Error(issued, expires, ok)
	}
	part := func(s string) string { return "x." + base64.RawURLEncoding.EncodeToString([]byte(s)) + ".y" }
	for _, jwt := range []string{
		"", "a.b", "a.b.c.d", "a.!.c", part("{"), part(`{}`), part(`{"exp":"soon"}`), part(`{"exp":-1}`), part(`{"exp":1e300}`),
	} {
		if _, _, ok := Life(jwt); ok {
			t.Errorf("%q has a life", jwt)
		}
	}
	if issued, _, ok := Life(part(`{"exp":1768480496.5}`)); !ok || !issued.IsZero() {
		t.Error("an issue time out of nothing")
	}
}

// If a session has no usable end, the client keeps it until the server refuses it. If it has no issue time, the Date stands in.
func TestRenewalOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		if at := renewalOf(jwtFor(1, now, 10*time.Hour), now.Add(5*time.Hour)); at.Sub(now) != 8*time.Hour {
			t.Error(at)
		}
		if at := renewalOf("opaque", now); !at.IsZero() {
			t.Error(at)
		}
		if at := renewalOf(jwtFor(1, now, -time.Hour), now); !at.IsZero() {
			t.Error(at)
		}
		claims := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"exp":%d}`, now.Add(10*time.Hour).Unix()))
		if at := renewalOf("x."+claims+".y", now); at.Sub(now) != 8*time.Hour {
			t.Error(at)
		}
	})
}

func FuzzLifeOf(f *testing.F) {
	f.Add(jwtFor(1, time.Unix(1768480496, 0), time.Hour))
	f.Add("x.eyJleHAiOjFlMzAwfQ.y")
	f.Fuzz(func(t *testing.T, jwt string) {
		issued, expires, ok := Life(jwt)
		if ok && (expires.Year() > 9999 || !issued.IsZero() && issued.After(expires)) {
			t.Errorf("%s to %s", issued, expires)
		}
	})
}
