package stream

import (
	"errors"
	"io/fs"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/sink/webhook"
)

// This process and others obey a receiver's pause until it is over, but no longer than makes sense.
func TestPause(t *testing.T) {
	t.Parallel()
	store := &checkpointtest.Memory{}
	now := time.Now()
	clock := func() time.Time { return now }
	open := func() *pause { return newPause(store, Webhook, clock, zap.NewNop()) }
	first := open()
	if until := first.pending(t.Context()); !until.IsZero() {
		t.Fatalf("nothing was asked for, and the pause is until %s", until)
	}
	for _, length := range []time.Duration{time.Hour, 20 * time.Minute} { // the second one replaces the first
		now = now.Add(24 * time.Hour)
		first.remember(t.Context(), &webhook.PostponedError{Until: time.Now().Add(length), Err: errors.New("busy")})
		for _, p := range []*pause{first, open()} {
			if left := p.pending(t.Context()).Sub(now); left < length-time.Minute || left > length {
				t.Errorf("%s are left of %s", left, length)
			}
		}
		began := now
		now = now.Add(length)
		for _, p := range []*pause{first, open()} {
			if until := p.pending(t.Context()); !until.IsZero() {
				t.Errorf("the pause of %s is not over", length)
			}
		}
		now = began.Add(-48 * time.Hour) // a clock that was set back
		if until := open().pending(t.Context()); !until.IsZero() {
			t.Errorf("a pause of %s became one until %s", length, until)
		}
		now = began
	}
	const key = "webhook/state/postponed.json"
	_, version, _, err := store.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Put(t.Context(), key, []byte("no JSON"), version); err != nil {
		t.Fatal(err)
	}
	if until := open().pending(t.Context()); !until.IsZero() {
		t.Errorf("rubbish is a pause until %s", until)
	}
	if _, _, _, err := store.Get(t.Context(), "webhook/state/other"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}
