package bloodhound

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// Whatever the two clocks say and however slow the network is, Now is behind the server, and not by much.
func TestNowIsNeverAhead(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		skew := time.Duration(rapid.Int64Range(int64(-100*time.Hour), int64(100*time.Hour)).Draw(rt, "skew"))
		delay := time.Duration(rapid.Int64Range(0, int64(5*time.Second)).Draw(rt, "delay"))
		pauses := rapid.SliceOfN(rapid.Int64Range(0, int64(2*freshClock)), 1, 8).Draw(rt, "pauses")
		synctest.Test(t, func(t *testing.T) {
			asked := 0
			server := func() time.Time { return time.Now().Add(skew) }
			c := newClient(t, Options{Transport: tripper(func(r *http.Request) (*http.Response, error) {
				asked++
				if r.URL.Path != "/health" || r.Header.Get("Authorization") != "" {
					t.Errorf("%s with %q", r.URL.Path, r.Header.Get("Authorization"))
				}
				date := server().UTC().Format(http.TimeFormat)
				time.Sleep(delay)
				return respond(200, "", "Date", date), nil
			})})
			for _, pause := range pauses {
				time.Sleep(time.Duration(pause))
				now, err := c.Now(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if behind := server().Sub(now); behind < 0 || behind >= delay+time.Second || now.Location() != time.UTC {
					t.Fatalf("Now is %s behind the server, with a delay of %s", behind, delay)
				}
			}
			if asked > len(pauses) {
				t.Errorf("asked %d times", asked)
			}
		})
	})
}

// Any reply tells the time, so that a running client need not ask for it; an old one is not believed.
func TestNowLearnsFromEveryReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var paths []string
		ahead := 42 * time.Minute
		c := newClient(t, Options{
			URL: mustParse(t, "https://tenant.example/prefix"),
			Transport: tripper(func(r *http.Request) (*http.Response, error) {
				paths = append(paths, r.URL.Path)
				return respond(403, "", "Date", time.Now().Add(ahead).UTC().Format(http.TimeFormat)), nil
			}),
		})
		if _, err := get(t.Context(), c, "/api/v2/audit"); err == nil {
			t.Fatal("no error")
		}
		time.Sleep(freshClock)
		if now, err := c.Now(t.Context()); err != nil || !now.Equal(time.Now().Add(ahead)) {
			t.Error(now, err)
		}
		ahead = 0 // somebody set the server's clock right
		time.Sleep(time.Nanosecond)
		if now, err := c.Now(t.Context()); err != nil || now.After(time.Now()) {
			t.Error(now, err)
		}
		if len(paths) != 2 || paths[1] != "/prefix/health" {
			t.Errorf("%v", paths)
		}
	})
}

func TestNowFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		c := newClient(t, Options{Transport: tripper(func(*http.Request) (*http.Response, error) {
			if tries++; tries < 3 {
				return nil, errors.New("network is unreachable")
			}
			return respond(502, htmlPage), nil
		})})
		if _, err := c.Now(t.Context()); err != nil || tries != 3 {
			t.Errorf("%d tries: %v", tries, err)
		}
		c = newClient(t, Options{Transport: tripper(func(*http.Request) (*http.Response, error) {
			return respond(200, "", "Date", ""), nil
		})})
		_, err := c.Now(t.Context())
		wantText(t, err, "ask for the server's time", "GET /health on tenant.example", "no Date header")
		c = newClient(t, Options{Retry: RetryPolicy{Tries: 2}, Transport: tripper(func(*http.Request) (*http.Response, error) {
			return nil, errors.New("network is unreachable")
		})})
		_, err = c.Now(context.Background())
		wantText(t, err, "network is unreachable", "gave up after 2 tries")
	})
}

// An estimate asks nobody: it is this machine's clock until something was heard, and after that the server's, carried on.
func TestEstimate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const ahead = 42 * time.Minute
		c := newClient(t, Options{Transport: tripper(func(*http.Request) (*http.Response, error) {
			return respond(403, "", "Date", time.Now().Add(ahead).UTC().Format(http.TimeFormat)), nil
		})})
		if got := c.Estimate(); !got.Equal(time.Now().Add(-guessMargin)) || got.Location() != time.UTC {
			t.Errorf("before anything was heard: %s", got)
		}
		if _, err := get(t.Context(), c, "/api/v2/audit"); err == nil {
			t.Fatal("no error")
		}
		for range 3 {
			if got := c.Estimate(); !got.Equal(time.Now().Add(ahead - guessMargin)) {
				t.Errorf("%s from the server's clock", time.Now().Add(ahead).Sub(got))
			}
			time.Sleep(20 * time.Hour)
		}
	})
}

// A batch carries what the last of its pages said of the clock.
func TestBatchTellsTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const behind = 3 * time.Hour
		c := newClient(t, Options{Transport: tripper(func(*http.Request) (*http.Response, error) {
			time.Sleep(time.Second)
			return respond(200, `{"count":0,"limit":5000,"skip":0,"data":{"logs":[]}}`,
				"Date", time.Now().Add(-behind).UTC().Format(http.TimeFormat)), nil
		})})
		b, err := c.Fetch(t.Context(), time.Now().Add(-time.Hour), time.Now(), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Release()
		if want := (Reading{time.Now().UTC().Add(-behind), time.Now()}); b.Clock() != want {
			t.Errorf("%v, want %v", b.Clock(), want)
		}
	})
}
