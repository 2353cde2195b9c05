package observe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/exporter/window"
)

func march() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// A world is a store with the journals of tenants, and a clock.
type world struct {
	*testing.T
	memory *checkpointtest.Memory
	store  *checkpointtest.Faulty // the observer's view of it
	now    time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	m := &checkpointtest.Memory{}
	return &world{T: t, memory: m, store: checkpointtest.NewFaulty(m), now: march()}
}

func (w *world) observer(o Options) *Observer {
	o.Now = func() time.Time { return w.now }
	return New(w.store, o)
}

// journal is the journal of a tenant's stream, as a run has it.
func (w *world) journal(folder, tenant, name string) *checkpoint.Journal {
	b := view{store: w.memory, folder: folder}
	return checkpoint.Open(writable{b}, checkpoint.Identity{Tenant: tenant, Stream: name, Source: "https://bh.example", Destination: "s3://a/b"},
		checkpoint.Runs(checkpoint.Settings{Tenant: tenant, Schedule: "@every 10m", Settle: "2m", Retention: "720h", VerifySchedule: "@daily"}))
}

// writable is a view that writes, too.
type writable struct{ view }

func (w writable) Put(ctx context.Context, key string, body []byte, version string) (string, error) {
	return w.store.Put(ctx, w.folder+key, body, version)
}

// commit commits windows of an hour with ten records each, up to the time now.
func (w *world) commit(j *checkpoint.Journal, n int) {
	w.Helper()
	last, err := j.Load(w.Context())
	if err != nil && !errors.Is(err, checkpoint.ErrNotFound) {
		w.Fatal(err)
	}
	begin := w.now.Add(-time.Duration(n) * time.Hour)
	for i := range n {
		start := begin.Add(time.Duration(i) * time.Hour)
		end := start.Add(time.Hour)
		last, err = j.Commit(w.Context(), last, checkpoint.Checkpoint{
			Kind: checkpoint.KindExport, Start: begin, Window: window.Window{Start: start, End: end}, Cursor: end, CommittedAt: end,
			Records:     checkpoint.Counts{Read: 10, Fresh: 10},
			ServerCount: &checkpoint.ServerCount{Status: checkpoint.CountExact, AtLeast: 10, AtMost: 10},
			Objects:     []checkpoint.Object{{Key: fmt.Sprint(start), Records: 10, Bytes: 5, MinCreatedAt: start, MaxCreatedAt: end.Add(-time.Second)}},
			Oldest:      checkpoint.Sighting{CreatedAt: begin, SeenAt: end},
		})
		if err != nil {
			w.Fatal(err)
		}
	}
}

func (w *world) check(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// states are the states of a snapshot, by tenant and stream.
func states(s Snapshot) string {
	var all []string
	for i := range s.Streams {
		all = append(all, s.Streams[i].Tenant+" "+s.Streams[i].Name+": "+s.Streams[i].State)
	}
	return strings.Join(all, "; ")
}

func (w *world) want(s Snapshot, want string) {
	w.Helper()
	if got := states(s); got != want {
		w.Errorf("it is\n%s, want\n%s", got, want)
		for i := range s.Streams {
			w.Log(s.Streams[i].Err)
		}
	}
}

// A stream whose destination lacks a record is not well, although its last run succeeded.
func TestDeadLetter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	j := w.journal("acme/", "acme", "webhook")
	w.commit(j, 1)
	w.check(j.Succeed(t.Context(), w.now))
	o := w.observer(Options{})
	w.want(o.Round(t.Context()), "acme webhook: ok")
	last, err := j.Load(t.Context())
	w.check(err)
	end := w.now.Add(time.Minute)
	_, err = j.Commit(t.Context(), last, checkpoint.Checkpoint{
		Kind: checkpoint.KindExport, Start: last.Start, Window: window.Window{Start: last.Cursor, End: end}, Cursor: end, CommittedAt: end,
		Records: checkpoint.Counts{Read: 1, Fresh: 1}, Oldest: last.Oldest,
		Refused: []checkpoint.Letter{{ID: 7, CreatedAt: last.Cursor, Nth: 1, SHA256: strings.Repeat("0", 64)}},
	})
	w.check(err)
	w.check(j.Succeed(t.Context(), end))
	w.now = end
	w.want(o.Round(t.Context()), "acme webhook: dead letter")
}

// An observer finds the journals of all tenants, also new ones, and no other folder. It only reads and lists.
func TestDiscovery(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.store.On(func(_ context.Context, op checkpointtest.Op, key string) checkpointtest.Fault {
		if op != checkpointtest.Get && op != checkpointtest.List {
			t.Errorf("it calls %s of %s", op, key)
		}
		if strings.Contains(key, "audit/") {
			t.Errorf("it looks into %s", key)
		}
		return checkpointtest.Fault{}
	})
	w.commit(w.journal("", "root", "archive"), 2)
	w.commit(w.journal("acme/", "acme", "archive"), 2)
	w.commit(w.journal("acme/", "acme", "webhook"), 2)
	w.commit(w.journal("acme/", "acme", "archive-backfill"), 1)
	w.commit(w.journal("emea/checkpoints/", "emea", "archive"), 2)
	for _, key := range []string{"acme/audit/archive/state/x", "archive-old/x", "lake/webhook/file.json"} {
		_, err := w.memory.Put(t.Context(), key, []byte("x"), "")
		w.check(err)
	}
	o := w.observer(Options{Entries: 100})
	w.want(o.Round(t.Context()), "acme archive: ok; acme webhook: ok; emea archive: ok; root archive: ok")
	w.commit(w.journal("new/", "new", "webhook"), 1)
	w.now = w.now.Add(rediscover)
	w.want(o.Round(t.Context()), "acme archive: ok; acme webhook: ok; emea archive: ok; new webhook: ok; root archive: ok")
	w.want(w.observer(Options{Tenants: []string{"emea", "gone"}}).Round(t.Context()), "emea archive: ok; gone archive: not started")
	w.want(w.observer(Options{Here: true}).Round(t.Context()), "root archive: ok")
	w.commit(w.journal("twice/", "new", "webhook"), 1)
	if s := w.observer(Options{}).Round(t.Context()); len(s.Streams) != 6 || s.Streams[4].Tenant == s.Streams[3].Tenant {
		t.Errorf("two journals of one name: %s", states(s))
	}
}

// TestDeath: a stream whose runs have died is stale an hour and two runs after its last sign of life, and not before. An idle stream
// that leaves signs of life is well.
func TestDeath(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	j := w.journal("", "acme", "archive")
	w.check(j.Succeed(t.Context(), w.now)) // BloodHound has no record yet
	o := w.observer(Options{})
	w.want(o.Round(t.Context()), "acme archive: waiting")
	w.commit(j, 3)
	for range 5 { // hours without a new record
		w.now = w.now.Add(time.Hour)
		w.check(j.Succeed(t.Context(), w.now))
		w.want(o.Round(t.Context()), "acme archive: ok")
	}
	due := o.Snapshot().Streams[0].Due
	if want := w.now.Add(time.Hour + 2*time.Minute + 20*time.Minute + stream.Lateness); !due.Equal(want) {
		t.Errorf("it is due at %s, want %s", due, want)
	}
	w.now = due
	w.want(o.Round(t.Context()), "acme archive: ok")
	w.now = due.Add(time.Second)
	w.want(o.Round(t.Context()), "acme archive: stale")
	if got := o.Snapshot().Streams[0].Deadline; !got.Equal(march().Add(720 * time.Hour)) {
		t.Errorf("the deadline is %s: RETENTION comes from the run", got)
	}
}

// TestFailure: the failure of a run is there at once, with its exit code, its beginning and its tries. The next success clears it.
func TestFailure(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	j := w.journal("", "acme", "webhook")
	w.commit(j, 2)
	o := w.observer(Options{})
	o.Round(t.Context())
	began := w.now
	for i := range 3 {
		w.now = w.now.Add(10 * time.Minute)
		w.check(j.Fail(t.Context(), checkpoint.Failure{State: stream.StateFailed, Stage: "sink", Reason: "it answers 403", Code: 4, At: w.now}))
		w.want(o.Round(t.Context()), "acme webhook: failed")
		f := o.Snapshot().Streams[0].Failure
		if f.Tries != i+1 || f.Code != 4 || !f.Since.Equal(began.Add(10*time.Minute)) {
			t.Errorf("after %d failures it is %+v", i+1, f)
		}
	}
	if due := o.Snapshot().Streams[0].Due; !due.Equal(began.Add(30*time.Minute + stream.Lateness)) {
		t.Errorf("it is due at %s: two runs after the first failure", due)
	}
	w.check(j.Succeed(t.Context(), w.now))
	w.want(o.Round(t.Context()), "acme webhook: ok")
}

// TestSurvives: while the store does not answer, the facts stay, and the state says that they cannot be read. A journal that is gone,
// or has become shorter, is no stream less.
func TestSurvives(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	j := w.journal("acme/", "acme", "archive")
	w.commit(j, 3)
	o := w.observer(Options{Entries: 10})
	before := o.Round(t.Context()).Streams[0]
	down := errors.New("the store is down")
	w.store.On(func(context.Context, checkpointtest.Op, string) checkpointtest.Fault {
		return checkpointtest.Fault{Before: down}
	})
	w.now = w.now.Add(rediscover)
	s := o.Round(t.Context())
	w.want(s, "acme archive: unreadable")
	one := s.Streams[0]
	if !errors.Is(s.Err, down) || !errors.Is(one.Err, down) || !one.Success.Equal(before.Success) || !one.Due.Equal(before.Due) ||
		one.Newest.Serial != 3 || len(one.History.Days) == 0 {
		t.Errorf("while the store is down: %v, %+v", s.Err, one)
	}
	w.store.On(nil)
	w.want(o.Round(t.Context()), "acme archive: ok")
	keys, err := w.memory.List(t.Context(), "acme/", "")
	w.check(err)
	for _, key := range keys {
		w.memory.Remove(key)
	}
	w.want(o.Round(t.Context()), "acme archive: rolled back")
	if o := w.observer(Options{}).Round(t.Context()); o.Err != nil || len(o.Streams) != 0 {
		t.Errorf("a new observer sees %s, %v", states(o), o.Err)
	}
}

// TestHistory: the newest entries come first, and older ones in later rounds, until the picture is whole. The sums are the journal's.
func TestHistory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.commit(w.journal("", "acme", "archive"), 2100) // 88 days
	o := w.observer(Options{Entries: 900})
	h := func() History { return o.Round(t.Context()).Streams[0].History }
	first := h()
	if first.Whole || first.Unread == 0 || first.Days[day(march()).AddDate(0, 0, -1)].Records != 240 {
		t.Errorf("the first round: whole %v, %d unread, %v", first.Whole, first.Unread, first.Days[day(march()).AddDate(0, 0, -1)])
	}
	var all History
	for range 4 {
		all = h()
	}
	var records int64
	for _, d := range all.Days {
		records += d.Records
		if d.Count != checkpoint.CountExact {
			t.Errorf("a day is %+v", d)
		}
	}
	if !all.Whole || all.Unread != 0 || records != 21000 || len(all.Commits) != 24 || all.Err != nil {
		t.Errorf("whole %v, %d unread, %d records, %d commits, %v", all.Whole, all.Unread, records, len(all.Commits), all.Err)
	}
	if !slices.IsSortedFunc(all.Commits, func(a, b Commit) int { return b.At.Compare(a.At) }) {
		t.Error("the commits are not newest first")
	}
	first.Days[day(march())] = Day{}
	if h().Days[day(march())].Records == 0 {
		t.Error("a caller's change to a snapshot changes the next one")
	}
}
