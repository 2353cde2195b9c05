package rest

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest/resttest"
)

// Whatever the two clocks say and however slow the network is, Clock is behind the server, and not by much.
func TestClockIsNeverAhead(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		skew := time.Duration(rapid.Int64Range(int64(-100*time.Hour), int64(100*time.Hour)).Draw(rt, "skew"))
		delay := time.Duration(rapid.Int64Range(0, int64(5*time.Second)).Draw(rt, "delay"))
		pauses := rapid.SliceOfN(rapid.Int64Range(0, int64(2*freshClock)), 1, 8).Draw(rt, "pauses")
		synctest.Test(t, func(t *testing.T) {
			asked := 0
			server := func() time.Time { return time.Now().Add(skew) }
			c := newClient(t, Options{Transport: resttest.Tripper(func(r *http.Request) (*http.Response, error) {
				asked++
				if r.URL.Path != "/health" || r.Header.Get("Authorization") != "" {
					t.Errorf("%s with %q", r.URL.Path, r.Header.Get("Authorization"))
				}
				date := server().UTC().Format(http.TimeFormat)
				time.Sleep(delay)
				return resttest.Respond(200, "", "Date", date), nil
			})})
			for _, pause := range pauses {
				time.Sleep(time.Duration(pause))
				now, err := c.Clock(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if behind := server().Sub(now.Server); behind < 0 || behind >= delay+time.Second || now.Server.Location() != time.UTC {
					t.Fatalf("Clock is %s behind the server, with a delay of %s", behind, delay)
				}
				if !now.Local.Equal(time.Now()) {
					t.Fatalf("our own clock is read %s off", time.Since(now.Local))
				}
			}
			if asked > len(pauses) {
				t.Errorf("asked %d times", asked)
			}
		})
	})
}

// Any reply tells the time, so a running client need not ask for it. The client does not believe an old reply.
func TestClockLearnsFromEveryReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var paths []string
		ahead := 42 * time.Minute
		c := newClient(t, Options{
			URL: resttest.MustParse(t, "https://tenant.example/prefix"),
			Transport: resttest.Tripper(func(r *http.Request) (*http.Response, error) {
				paths = append(paths, r.URL.Path)
				return resttest.Respond(403, "", "Date", time.Now().Add(ahead).UTC().Format(http.TimeFormat)), nil
			}),
		})
		if _, err := get(t.Context(), c, "/api/v2/audit"); err == nil {
			t.Fatal("no error")
		}
		time.Sleep(freshClock)
		if now, err := c.Clock(t.Context()); err != nil || !now.Server.Equal(time.Now().Add(ahead)) {
			t.Error(now, err)
		}
		ahead = 0 // the server's clock was set right
		time.Sleep(time.Nanosecond)
		if now, err := c.Clock(t.Context()); err != nil || now.Server.After(time.Now()) {
			t.Error(now, err)
		}
		if len(paths) != 2 || paths[1] != "/prefix/health" {
			t.Errorf("%v", paths)
		}
	})
}

func TestClockFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		c := newClient(t, Options{Transport: resttest.Tripper(func(*http.Request) (*http.Response, error) {
			if tries++; tries < 3 {
				return nil, errors.New("network is unreachable")
			}
			return resttest.Respond(502, resttest.HTMLPage), nil
		})})
		if _, err := c.Clock(t.Context()); err != nil || tries != 3 {
			t.Errorf("%d tries: %v", tries, err)
		}
		c = newClient(t, Options{Transport: resttest.Tripper(func(*http.Request) (*http.Response, error) {
			return resttest.Respond(200, "", "Date", ""), nil
		})})
		_, err := c.Clock(t.Context())
		resttest.WantText(t, err, "ask for the server's time", "GET /health on tenant.example", "no Date header")
		c = newClient(t, Options{Retry: RetryPolicy{Tries: 2}, Transport: resttest.Tripper(func(*http.Request) (*http.Response, error) {
			return nil, errors.New("network is unreachable")
		})})
		_, err = c.Clock(context.Background())
		resttest.WantText(t, err, "network is unreachable", "gave up after 2 tries")
	})
}

// A guess makes no request. Until a reply has come it is this machine's clock, and after that the server's clock, carried on.
func TestGuess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const ahead = 42 * time.Minute
		c := newClient(t, Options{Transport: resttest.Tripper(func(*http.Request) (*http.Response, error) {
			return resttest.Respond(403, "", "Date", time.Now().Add(ahead).UTC().Format(http.TimeFormat)), nil
		})})
		if got, now := c.Guess(), time.Now(); got.Server != now.UTC().Add(-guessMargin) || got.Local != now {
			t.Errorf("before any reply: %v", got)
		}
		if _, err := get(t.Context(), c, "/api/v2/audit"); err == nil {
			t.Fatal("no error")
		}
		for range 3 {
			if got, now := c.Guess(), time.Now(); !got.Server.Equal(now.Add(ahead-guessMargin)) || got.Local != now {
				t.Errorf("%s from the server's clock: %v", now.Add(ahead).Sub(got.Server), got)
			}
			time.Sleep(20 * time.Hour)
		}
	})
}

// A Date that cannot be true is a reading like any other: the client tells the server's word.
func TestClockTellsWhatTheServerSays(t *testing.T) {
	for _, date := range []time.Time{
		time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		synctest.Test(t, func(t *testing.T) {
			c := newClient(t, Options{Transport: resttest.Can(200, "", "Date", date.Format(http.TimeFormat))})
			for range 2 { // asked for, and carried on
				if got, err := c.Clock(t.Context()); err != nil || !got.Server.Equal(date) || got.Local != time.Now() {
					t.Errorf("%v, %v, want %s", got, err, date)
				}
			}
			if got := c.Guess(); !got.Server.Equal(date.Add(-guessMargin)) {
				t.Errorf("guessed %v, want %s", got, date)
			}
		})
	}
}
