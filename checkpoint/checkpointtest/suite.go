package checkpointtest

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// TTL is the life of a lease in the suite. It is long enough for the answer of a slow store, and short enough to wait for its end.
const TTL = 2 * time.Second

// Open opens an empty store twice, like two processes.
type Open func(t *testing.T) (a, b bucket.Bucket)

// Run checks a store, and the journal and the lease on it, against their contracts. It waits for leases to expire, and that takes
// some seconds.
func Run(t *testing.T, open Open) {
	t.Helper()
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(newWorld(t, open))
		})
	}
}

// RunInBubble is [Run] with the time of testing/synctest. It is for stores that live in this process.
func RunInBubble(t *testing.T, open Open) {
	t.Helper()
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { c.run(newWorld(t, open)) })
		})
	}
}

type testCase struct {
	name string
	run  func(t *world)
}

func cases() []testCase {
	return slices.Concat(journalCases(), historyCases(), corruptionCases(), prunedCases(), formatCases(), surveyCases(), moveCases(), compactCases(), forgetCases(), lettersCases(), deliveredCases(), longCases(), noteCases(),
		failureCases(), accountCases(), sealedCases(), signedCases(), keysCases(), adoptCases(), staleCases(), probeCases(), leaseCases(), lookCases(), leaseStatusCases(), auditCases(), tileCases())
}

// world has one store, the two processes that use it, and their test.
type world struct {
	*testing.T
	a, b    *Faulty
	locking bool // the store has a lock that dies with the process

	keysA, keysB []ed25519.PrivateKey // the keys of the two processes; none if they only read
}

func newWorld(t *testing.T, open Open) *world {
	t.Helper()
	a, b := open(t)
	unlock, locking, err := a.Lock(t.Context(), "probe/lease.lock")
	check(t, err)
	if locking {
		check(t, unlock())
	}
	return &world{T: t, a: NewFaulty(a), b: NewFaulty(b), locking: locking}
}

// identity is the stream that the suite uses.
func identity(host string) checkpoint.Identity {
	return checkpoint.Identity{
		Tenant: "a", Stream: "archive", Source: "https://a.example", Destination: "s3://lake/hound", Encoding: "parquet",
		Writer: checkpoint.Writer{Version: "v1.2.3", Host: host},
	}
}

// journals opens the stream in both processes.
func (w *world) journals() (a, b *checkpoint.Journal) {
	open := func(b bucket.Bucket, host string, keys []ed25519.PrivateKey) *checkpoint.Journal {
		options := []checkpoint.Option{checkpoint.LeaseTTL(TTL)}
		if len(keys) > 0 {
			options = append(options, checkpoint.Sign(keys...))
		}
		return checkpoint.Open(b, identity(host), options...)
	}
	return open(w.a, "host-a", w.keysA), open(w.b, "host-b", w.keysB)
}

// entryKey is the key of an entry in the contract.
func entryKey(serial uint64) string { return folderOf(serial) + fmt.Sprintf("%020d.json", serial) }

// folderOf is the folder of an entry.
func folderOf(serial uint64) string { return fmt.Sprintf("archive/%017d/", serial/1000) }

// position is a checkpoint that is different for every number. Its times are not in UTC.
func position(n int) checkpoint.Checkpoint {
	zone := time.FixedZone("east", 3*60*60)
	start := time.Date(2026, 3, 1, 12, 0, 0, 123456000, zone).Add(time.Duration(n) * time.Hour)
	end := start.Add(time.Hour)
	return checkpoint.Checkpoint{
		Kind: checkpoint.KindExport, Start: start, Window: window.Window{Start: start, End: end}, Cursor: end, MaxID: int64(1000 + n),
		Delivered: []byte{0, 255, byte(n)},
		Records:   checkpoint.Counts{Read: 512, Fresh: 480, Duplicate: 32, Late: 1},
		Objects: []checkpoint.Object{{
			Key: fmt.Sprintf("audit/%d.parquet", n), Bytes: 48213, SHA256: strings.Repeat("ab", 32), Records: 480,
			MinID: 1, MaxID: int64(1000 + n), MinCreatedAt: start, MaxCreatedAt: end.Add(-time.Microsecond),
		}},
		CommittedAt: end.Add(2 * time.Minute),
	}
}

// commit adds n entries and returns the last one.
func commit(tb testing.TB, j *checkpoint.Journal, n int) checkpoint.Stored {
	tb.Helper()
	var last checkpoint.Stored
	for range n {
		var err error
		last, err = j.Commit(tb.Context(), last, position(int(last.Serial)+1))
		check(tb, err)
	}
	return last
}

// collect reads a history up to its end or first error.
func collect(entries func(func(checkpoint.Stored, error) bool)) (serials []uint64, err error) {
	for s, err := range entries {
		if err != nil {
			return serials, err
		}
		serials = append(serials, s.Serial)
	}
	return serials, nil
}

// overwrite writes an object over any previous one, without the journal.
func overwrite(tb testing.TB, b bucket.Bucket, key string, body []byte) {
	tb.Helper()
	_, version, _, err := b.Get(tb.Context(), key)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		tb.Fatalf("get %s: %v", key, err)
	}
	_, err = b.Put(tb.Context(), key, body, version)
	check(tb, err)
}

// edit replaces text in an object, without the journal.
func edit(tb testing.TB, b bucket.Bucket, key, from, to string) {
	tb.Helper()
	body, _, _, err := b.Get(tb.Context(), key)
	check(tb, err)
	changed := bytes.Replace(body, []byte(from), []byte(to), 1)
	if bytes.Equal(changed, body) {
		tb.Fatalf("%s has no %q: %s", key, from, body)
	}
	overwrite(tb, b, key, changed)
}

// removed is a view of a bucket that lacks some objects, like a bucket with a lifecycle rule. A Put can write them again.
type removed struct {
	bucket.Bucket
	keys map[string]bool
}

func without(b bucket.Bucket, keys ...string) bucket.Bucket {
	r := &removed{Bucket: b, keys: map[string]bool{}}
	for _, key := range keys {
		r.keys[key] = true
	}
	return r
}

func (r *removed) Get(ctx context.Context, key string) ([]byte, string, time.Duration, error) {
	if r.keys[key] {
		return nil, "", 0, fs.ErrNotExist
	}
	return r.Bucket.Get(ctx, key)
}

func (r *removed) Put(ctx context.Context, key string, body []byte, version string) (string, error) {
	if !r.keys[key] {
		return r.Bucket.Put(ctx, key, body, version)
	}
	_, found, _, err := r.Bucket.Get(ctx, key)
	if err != nil {
		return "", err
	}
	delete(r.keys, key)
	return r.Bucket.Put(ctx, key, body, found)
}

func (r *removed) List(ctx context.Context, prefix, after string) ([]string, error) {
	keys, err := r.Bucket.List(ctx, prefix, after)
	return slices.DeleteFunc(keys, func(key string) bool { return r.keys[key] }), err
}

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// wantError checks the error's kind, and that its text has each of the texts in says.
func wantError(tb testing.TB, err, kind error, says ...string) {
	tb.Helper()
	if !errors.Is(err, kind) {
		tb.Fatalf("error is %v, want %v", err, kind)
	}
	for _, part := range says {
		if !strings.Contains(err.Error(), part) {
			tb.Errorf("error does not say %q: %v", part, err)
		}
	}
}

// refuseAdvice checks that an error has no advice that would lose or double records. The store's own name does not count as
// advice.
func refuseAdvice(t *world, err error, words ...string) {
	t.Helper()
	text := strings.ReplaceAll(err.Error(), t.b.String(), "")
	for _, word := range words {
		if strings.Contains(text, word) {
			t.Errorf("the advice has the word %q: %v", word, err)
		}
	}
}
