package stream

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/checkpoint/seal"
	"github.com/houndtrail/houndtrail/sink/webhook"
)

// This process and others keep a receiver's pause until it ends, but not longer than makes sense.
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

// A told is a receiver of events.
type told struct {
	posts [][]string
	err   error
}

func (r *told) Tell(_ context.Context, events ...[]byte) error {
	var all []string
	for _, e := range events {
		all = append(all, string(e))
	}
	r.posts = append(r.posts, all)
	return r.err
}

// TestTeller: a process sends only heads that are new to it, and at most once an hour. It reads the last post of another process
// from the bucket, but only once. If the other process posts again later, both may send the same head.
func TestTeller(t *testing.T) {
	t.Parallel()
	store, receiver := &checkpointtest.Memory{}, &told{}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	open := func() *teller {
		tells := newTeller(store, nil, func() time.Time { return now }, zap.NewNop())
		tells.events = receiver
		return tells
	}
	note := func(stream string, size uint64) string {
		h := seal.Head{
			Origin: "acme/houndtrail/" + stream + "/6f1c6a0e8b1f4c3b", Size: size, Root: seal.Leaf([]byte(stream)),
			Cursor: now.Add(-time.Minute), Records: 7,
		}
		text, err := h.Sign(seal.NewSigner(h.Origin, checkpointtest.Key(1)))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	first := note("archive", 3)
	one := open()
	one.tell(t.Context(), []string{first, note("webhook", 9)})
	want, err := json.Marshal(first)
	if err != nil {
		t.Fatal(err)
	}
	if len(receiver.posts) != 1 || len(receiver.posts[0]) != 2 || receiver.posts[0][0] != `{"type":"houndtrail.head",`+
		`"event_id":"acme/houndtrail/archive/6f1c6a0e8b1f4c3b/3","size":3,"root":"`+seal.Leaf([]byte("archive")).Base64()+`","head":`+
		string(want)+`,"cursor":"2026-03-01T11:59:00Z"}` {
		t.Fatalf("told is %q", receiver.posts)
	}
	for _, step := range []struct {
		after  time.Duration
		teller *teller
		notes  []string
		err    error
		tells  int // events; 0 for no post
	}{
		{time.Minute, one, []string{note("archive", 4)}, nil, 0},
		{time.Minute, open(), []string{note("archive", 4)}, nil, 0}, // another process
		{58 * time.Minute, open(), []string{first, note("webhook", 9)}, nil, 0},
		{0, open(), []string{note("archive", 4), note("webhook", 9)}, errors.New("busy"), 1},
		{time.Minute, one, []string{note("archive", 4)}, nil, 1}, // this process knows only of the first post
		{time.Minute, open(), []string{note("archive", 5)}, nil, 0},
		{time.Hour, open(), []string{"no head", note("archive", 5), note("webhook", 10)}, nil, 2},
		{time.Hour, open(), nil, nil, 0},
		{-24 * time.Hour, open(), []string{note("archive", 6)}, nil, 1}, // a clock that was set back
	} {
		now = now.Add(step.after)
		receiver.posts, receiver.err = nil, step.err
		step.teller.tell(t.Context(), step.notes)
		got := 0
		for _, post := range receiver.posts {
			got += len(post)
		}
		if got != step.tells || len(receiver.posts) > 1 {
			t.Errorf("%s: %d events in %d posts, want %d", now, got, len(receiver.posts), step.tells)
		}
	}
}
