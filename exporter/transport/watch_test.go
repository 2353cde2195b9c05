package transport_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/houndtrail/houndtrail/exporter/transport"
)

type tripper func(*http.Request) (*http.Response, error)

func (t tripper) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

// A dribble has a byte after each pause.
type dribble struct {
	r     *http.Request
	pause time.Duration
}

func (d dribble) Read(p []byte) (int, error) {
	select {
	case <-d.r.Context().Done():
		return 0, d.r.Context().Err()
	case <-time.After(d.pause):
		p[0] = 'x'
		return 1, nil
	}
}

func (dribble) Close() error { return nil }

// swallow takes a byte of the request after each pause, and then answers with nothing.
func swallow(r *http.Request, pause time.Duration) (*http.Response, error) {
	body := iotest.OneByteReader(r.Body)
	for {
		if _, err := body.Read(make([]byte, 1)); errors.Is(err, io.EOF) {
			return &http.Response{Body: http.NoBody}, nil
		}
		select {
		case <-r.Context().Done():
			return nil, r.Context().Err()
		case <-time.After(pause):
		}
	}
}

// TestBounds: an exchange that would never end does end, at its time, and with a line in the log every 30 s.
func TestBounds(t *testing.T) {
	t.Parallel()
	bounds := transport.Bounds{
		Answer: time.Minute, Idle: 20 * time.Second, Grace: 2 * time.Minute, Rate: 100,
	}
	comes := func(pause time.Duration) tripper {
		return func(r *http.Request) (*http.Response, error) { return &http.Response{Body: dribble{r, pause}}, nil }
	}
	goes := func(pause time.Duration) tripper {
		return func(r *http.Request) (*http.Response, error) { return swallow(r, pause) }
	}
	silent := func(r *http.Request) (*http.Response, error) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	for name, test := range map[string]struct {
		server tripper
		size   int
		says   string
		took   time.Duration
		lines  int
	}{
		"no answer":            {silent, 10, "did not begin to answer within 1m0s", time.Minute, 0},
		"no answer, no body":   {silent, 0, "did not begin to answer within 1m0s", time.Minute, 0},
		"stalls":               {comes(time.Hour), 0, "no byte of a body came for 20s", 20 * time.Second, 0},
		"stalls, to the store": {goes(time.Hour), 10, "no byte of a body went for 20s", 20 * time.Second, 0},
		"a byte a second":      {comes(time.Second), 0, "bytes of a body came in 2m1s", 2*time.Minute + 1200*time.Millisecond, 4},
		"a byte a second goes": {goes(time.Second), 500, "bytes of a body went in 2m1s", 2*time.Minute + 1200*time.Millisecond, 4},
		"slow, but it comes":   {goes(10 * time.Second), 11, "", 110 * time.Second, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				core, logs := observer.New(zap.WarnLevel)
				bounds := bounds
				bounds.Log = zap.New(core)
				start := time.Now()
				_, err := do(t.Context(), transport.Bound(test.server, bounds), "https://store.example/bucket/object",
					bytes.NewReader(make([]byte, test.size)))
				timeout, ok := errors.AsType[*transport.TimeoutError](err)
				if ok != (test.says != "") || ok && !strings.Contains(timeout.Error(), test.says) {
					t.Errorf("error %v; want one with %q", err, test.says)
				}
				if took := time.Since(start); (took - test.took).Abs() > time.Second {
					t.Errorf("it took %s; want %s", took, test.took)
				}
				if logs.Len() != test.lines {
					t.Errorf("%d lines in the log; want %d", logs.Len(), test.lines)
				}
				for _, line := range logs.All() {
					if fields := line.ContextMap(); fields["host"] != "store.example" || fields["path"] != "/bucket/object" {
						t.Errorf("the log says %v", fields)
					}
				}
			})
		})
	}
}

// TestSlowReader: the time that the caller takes between two pieces is the caller's.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		served := func(r *http.Request) (*http.Response, error) {
			return &http.Response{Body: dribble{r, time.Millisecond}}, nil
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://store.example", nil)
		if err != nil {
			t.Fatal(err)
		}
		bounds := transport.Bounds{Answer: time.Second, Idle: time.Second, Grace: time.Second, Rate: 1}
		resp, err := transport.Bound(tripper(served), bounds).RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		for range 10 {
			time.Sleep(time.Minute)
			if _, err := resp.Body.Read(make([]byte, 1)); err != nil {
				t.Error(err)
			}
		}
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
	})
}
