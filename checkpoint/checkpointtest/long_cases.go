package checkpointtest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
)

func longCases() []testCase {
	return []testCase{
		{"a long journal costs no more than a short one", longJournal},
		{"a journal goes on from one folder to the next", nextFolder},
		{"a journal of several folders is pruned, has gaps and is lost", folders},
	}
}

// counted is a view of a store that counts the calls. It also counts the names that a file system looks at for them: a file system
// lists whole folders.
type counted struct {
	bucket.Bucket

	mu    sync.Mutex
	calls map[Op]int
	names int // in the folders that were listed
	bytes int // that were read
}

// reset starts counting again from 0.
func (c *counted) reset() { c.calls, c.names, c.bytes = nil, 0, 0 }

func (c *counted) count(op Op, names, bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls == nil {
		c.calls = map[Op]int{}
	}
	c.calls[op]++
	c.names += names
	c.bytes += bytes
}

func (c *counted) Get(ctx context.Context, key string) ([]byte, string, time.Duration, error) {
	body, version, age, err := c.Bucket.Get(ctx, key)
	c.count(Get, 0, len(body))
	return body, version, age, err
}

func (c *counted) Put(ctx context.Context, key string, body []byte, version string) (string, error) {
	c.count(Put, 0, 0)
	return c.Bucket.Put(ctx, key, body, version)
}

func (c *counted) List(ctx context.Context, prefix, after string) ([]string, error) {
	all, err := c.Bucket.List(ctx, prefix[:strings.LastIndex(prefix, "/")+1], "")
	if err != nil {
		return nil, err
	}
	c.count(List, len(all), 0)
	return c.Bucket.List(ctx, prefix, after)
}

// startAt makes a journal that was pruned up to a serial, and has n entries from there on.
func startAt(t *world, j *checkpoint.Journal, id checkpoint.Identity, serial uint64, n int) checkpoint.Stored {
	t.Helper()
	last := Pruned(id, serial-1)
	for range n {
		var err error
		last, err = j.Commit(t.Context(), last, position(int(last.Serial)+1))
		check(t, err)
	}
	return last
}

// longJournal compares the cost of a journal of 500,000 entries with the cost of one of 1,000, in calls of the store. The newest
// entries' folder has all names up to them. The older folders have only a few names each, and no part of a cycle may look at them.
func longJournal(t *world) {
	shortIdle, shortCommit := lengthCosts(t, "short", 1_100, 50)
	longIdle, longCommit := lengthCosts(t, "long", 500_100, 5000)
	for _, c := range []struct {
		what        string
		short, long *counted
	}{{"two idle cycles", shortIdle, longIdle}, {"a commit", shortCommit, longCommit}} {
		for op, n := range c.long.calls {
			if n*2 > c.short.calls[op]*3 {
				t.Errorf("%s: %d calls of %s after 500,000 entries, and %d after 1,000", c.what, n, op, c.short.calls[op])
			}
		}
		if c.long.names*2 > c.short.names*3 {
			t.Errorf("%s: %d names are looked at after 500,000 entries, and at %d after 1,000", c.what, c.long.names, c.short.names)
		}
		if c.long.bytes*2 > c.short.bytes*3 {
			t.Errorf("%s: %d bytes are read after 500,000 entries, and %d after 1,000", c.what, c.long.bytes, c.short.bytes)
		}
	}
	if longIdle.calls[List] != 2 || longIdle.calls[Put] != 0 || longIdle.names > 2*110 || longIdle.bytes > 16<<10 {
		t.Errorf("two idle cycles take %v, look at %d names and read %d bytes", longIdle.calls, longIdle.names, longIdle.bytes)
	}
}

// lengthCosts makes a journal that ends at a serial, and counts the calls of two idle cycles of a new process, and of a commit.
func lengthCosts(t *world, stream string, serial, step uint64) (idle, commit *counted) {
	t.Helper()
	id := identity("host-a")
	id.Stream = stream
	open := func(b bucket.Bucket) *checkpoint.Journal { return checkpoint.Open(b, id, checkpoint.LeaseTTL(TTL)) }
	old := func(serial uint64) {
		_, err := t.b.Put(t.Context(), strings.Replace(entryKey(serial), "archive", stream, 1), []byte("{}"), "")
		check(t, err)
	}
	for n := serial / 1000 * 1000; n < serial-1; n++ {
		old(n)
	}
	for n := uint64(1); n < serial-1000; n += step {
		old(n)
	}
	first := open(t.b)
	lease := acquire(t, first)
	last := startAt(t, first, id, serial-1, 2)
	check(t, lease.Release(t.Context()))

	idle, commit = &counted{Bucket: t.a}, &counted{Bucket: t.a}
	j := open(idle)
	for range 2 {
		lease, err := j.Look(t.Context())
		check(t, err)
		loaded, err := j.Load(t.Context())
		if err != nil || loaded.SHA256 != last.SHA256 {
			t.Fatalf("entry %d is loaded, %v", loaded.Serial, err)
		}
		check(t, lease.Release(t.Context()))
	}
	j = open(commit)
	lease = acquire(t, j)
	loaded, err := j.Load(t.Context())
	check(t, err)
	check(t, lease.Intend(t.Context(), windowOf(1)))
	_, err = j.Commit(t.Context(), loaded, position(int(serial)+1))
	check(t, err)
	check(t, lease.Release(t.Context()))
	return idle, commit
}

func nextFolder(t *world) {
	a, b := t.journals()
	last := startAt(t, a, identity("host-a"), 997, 2)
	for last.Serial < 1003 {
		next, err := a.Commit(t.Context(), last, position(int(last.Serial)+1))
		check(t, err)
		last = next
		for noted := uint64(997); noted <= last.Serial; noted++ { // for each distance between the note and the newest entry
			overwrite(t, t.b, "archive/state/latest", fmtNote(noted))
			loaded, err := b.Load(t.Context())
			if err != nil || loaded.SHA256 != last.SHA256 {
				t.Errorf("noted %d of %d: entry %d, %v", noted, last.Serial, loaded.Serial, err)
			}
		}
		overwrite(t, t.b, "archive/state/latest", []byte("garbage"))
		loaded, err := b.Load(t.Context())
		if err != nil || loaded.SHA256 != last.SHA256 {
			t.Errorf("without a note: entry %d of %d, %v", loaded.Serial, last.Serial, err)
		}
	}
	serials, err := collect(b.Entries(t.Context()))
	if want := []uint64{997, 998, 999, 1000, 1001, 1002, 1003}; err != nil || !slices.Equal(serials, want) {
		t.Errorf("the entries are %v, %v", serials, err)
	}
	wantSurvey(t, b, sound(997, 1003)...)
}

func folders(t *world) {
	a, b := t.journals()
	startAt(t, a, identity("host-a"), 3998, 4)
	first, err := b.Pruned(t.Context())
	if err != nil || first != 3998 {
		t.Errorf("the first entry is %d, %v", first, err)
	}
	wantSurvey(t, b, sound(3998, 4001)...)
	wantSurvey(t, hidden(t, 3998), sound(3999, 4001)...)
	wantSurvey(t, hidden(t, 3998, 3999), sound(4000, 4001)...)
	wantSurvey(t, hidden(t, 3999), append(append(sound(3998, 3998), seen{
		serial: 3999, kind: checkpoint.ErrCorrupt, says: entryKey(3999),
	}), sound(4000, 4001)...)...)
	wantLost(t, hidden(t, 3998, 3999, 4000, 4001), entryKey(4001), "archive/state/latest")
	wantLost(t, hidden(t, 4000, 4001), entryKey(4001), "archive/state/latest")
}

func fmtNote(serial uint64) []byte { return fmt.Appendf(nil, `{"serial":%d}`, serial) }
