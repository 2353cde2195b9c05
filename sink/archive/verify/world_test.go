package verify_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/checkpoint/bucket/dir"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/checkpoint/seal"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/bloodhound"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/history"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/archive"
	"github.com/houndtrail/houndtrail/sink/archive/compact"
	"github.com/houndtrail/houndtrail/sink/archive/read"
	"github.com/houndtrail/houndtrail/sink/archive/verify"
	"github.com/houndtrail/houndtrail/sink/parquet"
)

const (
	tenant   = "acme.example"
	archived = "archive"
	filled   = "archive-backfill"
	posted   = "webhook"
)

// A place is the store of an archive, and the store of its journals.
type place struct{ files, positions bucket.Bucket }

// options ask for a verification of everything in a place.
func (p place) options(depth verify.Depth) verify.Options {
	journal := func(name string, files, anyOrder bool) verify.Journal {
		return verify.Journal{
			Journal: checkpoint.Open(p.positions, checkpoint.Identity{Stream: name}), Name: name, Files: files, AnyOrder: anyOrder,
		}
	}
	return verify.Options{
		Journals:  []verify.Journal{journal(archived, true, false), journal(filled, true, true), journal(posted, false, false)},
		Positions: p.positions, Files: p.files, Depth: depth,
	}
}

// retiredKey is the first key of the archive's journal in whole.
func retiredKey() ed25519.PrivateKey { return checkpointtest.Key(8) }

// pinned returns options of a reader who has the key of whole.
func (p place) pinned(depth verify.Depth, heads ...verify.Remembered) verify.Options {
	o := p.options(depth)
	o.Keys, o.Heads = []seal.PublicKey{seal.PublicOf(checkpointtest.Key(1))}, heads
	return o
}

// folders makes the place of an archive and its journals in two folders.
func folders(t *testing.T, root string) place {
	t.Helper()
	var p place
	for name, b := range map[string]*bucket.Bucket{"files": &p.files, "positions": &p.positions} {
		d, err := dir.Open(filepath.Join(root, name))
		check(t, err)
		*b = d
	}
	return p
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A world is a BloodHound and the program that exports from it into a place. The test moves their clock.
type world struct {
	t      *testing.T
	place  place
	now    time.Time
	id     int64
	server *bloodhoundtest.Server
	source *bloodhound.Client
	name   string // the name of the source in the journals
	keys   []ed25519.PrivateKey
	before []ed25519.PrivateKey // the keys of the archive's journal, until its key is rotated
}

var begin = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// newWorld makes a world with ten days of history.
func newWorld(t *testing.T, root string) *world {
	t.Helper()
	w := &world{t: t, place: folders(t, root), now: begin, name: "https://acme.example"}
	w.server = bloodhoundtest.New(bloodhoundtest.Options{Now: func() time.Time { return w.now }, SessionTTL: 10000 * time.Hour})
	w.add(200, begin.AddDate(0, 0, -10), begin.Add(-time.Hour))
	listener := httptest.NewServer(w.server)
	t.Cleanup(listener.Close)
	base, err := url.Parse(listener.URL)
	check(t, err)
	session := w.server.Session("houndtrail")
	w.source, err = bloodhound.New(bloodhound.Options{
		Connection: rest.Options{URL: base, Auth: rest.Bearer(func() (string, error) { return session, nil }), Rate: 1000},
	})
	check(t, err)
	return w
}

// add adds rows between two instants.
func (w *world) add(n int, from, to time.Time) {
	w.id += 1000
	w.server.Add(history.Rows(history.Options{Seed: uint64(w.id), N: n, Start: from, End: to, FirstID: w.id})...)
	w.id += int64(n)
}

// later moves the clock. It adds new rows, and rows that are late.
func (w *world) later(d time.Duration) {
	before := w.now
	w.now = w.now.Add(d)
	w.add(20, before, w.now.Add(-30*time.Minute))
	w.add(3, before.Add(-9*time.Minute), before.Add(-8*time.Minute)) // the overlap sees them
	w.add(2, before.Add(-20*time.Hour), before.Add(-19*time.Hour))   // the rescan sees them
}

type daily struct{}

func (daily) Next(after time.Time) time.Time { return after.Add(24 * time.Hour) }

func (w *world) journal(name string, b bucket.Bucket, options ...checkpoint.Option) *checkpoint.Journal {
	return checkpoint.Open(b, checkpoint.Identity{
		Tenant: tenant, Stream: name, Source: w.name, Destination: "s3://lake/" + name, Encoding: "parquet",
		Writer: checkpoint.Writer{Version: "1.2.3", Host: "test"},
	}, append(options, checkpoint.Sign(w.keysOf(name)...))...)
}

func (w *world) keysOf(name string) []ed25519.PrivateKey {
	if name == archived && w.before != nil {
		return w.before
	}
	return w.keys
}

// exporter makes the exporter of a stream; positions may be a view that fails.
func (w *world) exporter(name string, positions bucket.Bucket) *exporter.Exporter {
	w.t.Helper()
	e := &exporter.Exporter{
		Source: w.source, Windows: window.Planner{Max: 50 * time.Hour}, Limits: bloodhound.Limits{Records: 1000},
		Settle: 2 * time.Minute, Overlap: 10 * time.Minute, Rescan: 24 * time.Hour, RescanSchedule: daily{}, Start: begin.AddDate(0, 0, -5),
		Now: func() time.Time { return w.now }, Log: zap.NewNop(), Store: w.journal(name, positions),
	}
	if name == posted {
		e.Sink = new(receiver)
		return e
	}
	sink, err := archive.New(w.place.files, tenant, func() archive.Encoder {
		return parquet.NewEncoder(parquet.Metadata{Tenant: tenant, Version: "1.2.3"})
	})
	check(w.t, err)
	e.Sink, e.Destination = sink, destination(w.place.files)
	return e
}

// run runs a cycle of both streams.
func (w *world) run() {
	w.t.Helper()
	for _, name := range []string{archived, posted} {
		check(w.t, w.exporter(name, w.place.positions).RunOnce(w.t.Context()))
	}
}

// destination tells an exporter about the contents of an archive.
func destination(b bucket.Bucket) exporter.Destination {
	return exporter.Destination{
		Attempt: func(ctx context.Context, win window.Window) (keys []string, err error) {
			objects, _, err := read.Objects(ctx, b, tenant)
			for _, o := range objects {
				if o.Of(win.Start, win.Pass) {
					keys = append(keys, o.Key())
				}
			}
			return keys, err
		},
		Recall: func(ctx context.Context, key string, add func(int64, time.Time)) error {
			body, _, _, err := b.Get(ctx, key)
			if err != nil {
				return err
			}
			file, err := read.Open(body, key)
			if err != nil {
				return err
			}
			return file.Each(func(id int64, at time.Time) error { add(id, at); return nil })
		},
	}
}

// A receiver takes every batch.
type receiver struct{}

func (*receiver) Prepare(w window.Window, records []record.Record) (func(context.Context) (checkpoint.Receipt, error), int64, error) {
	var receipt checkpoint.Receipt
	if n := len(records); n > 0 {
		receipt.Objects = []checkpoint.Object{{
			Key: "batch/" + w.Start.Format("150405"), Bytes: 1, SHA256: "00", Records: n,
			MinID: records[0].ID, MaxID: records[n-1].ID, MinCreatedAt: records[0].CreatedAt, MaxCreatedAt: records[n-1].CreatedAt,
		}}
	}
	return func(context.Context) (checkpoint.Receipt, error) { return receipt, nil }, 1, nil
}

func (*receiver) WriteParts(context.Context, window.Window, iter.Seq2[[]record.Record, error]) (checkpoint.Receipt, error) {
	return checkpoint.Receipt{}, errors.New("no window of these tests is that large")
}

// compact compacts the days that have been over for so long.
func (w *world) compact(olderThan time.Duration) {
	w.t.Helper()
	check(w.t, compactor(w.place, w.name, olderThan, w.keys...).Run(w.t.Context()))
}

// compactor compacts the archive of a place.
func compactor(p place, source string, olderThan time.Duration, keys ...ed25519.PrivateKey) *compact.Compactor {
	journal := func(stream string, options ...checkpoint.Option) *checkpoint.Journal {
		return checkpoint.Open(p.positions, checkpoint.Identity{
			Tenant: tenant, Stream: stream, Source: source, Destination: "s3://lake/" + stream, Encoding: "parquet",
		}, append(options, checkpoint.Sign(keys...))...)
	}
	return &compact.Compactor{
		Files: p.files, Journal: journal(archived), Backfill: journal(filled, checkpoint.AnyOrder()),
		State:  checkpoint.OpenState[compact.Intent](p.positions, archived, compact.StateName),
		Tenant: tenant, Version: "1.2.3", Memory: 96 << 20, OlderThan: olderThan, Done: func(compact.Day) {},
	}
}

// crash runs a cycle that writes its objects, and dies before the commit.
func (w *world) crash() {
	w.t.Helper()
	dying := checkpointtest.NewFaulty(w.place.positions)
	dying.On(func(_ context.Context, op checkpointtest.Op, key string) checkpointtest.Fault {
		if op == checkpointtest.Put && strings.HasPrefix(key, archived+"/0") {
			check(w.t, nil)
			return checkpointtest.Fault{Before: errors.New("it dies here")}
		}
		return checkpointtest.Fault{}
	})
	if err := w.exporter(archived, dying).RunOnce(w.t.Context()); err == nil {
		w.t.Fatal("the cycle did not die")
	}
}

// whole makes an archive with all kinds of events: late rows, rescans, a backfill, a move, a webhook beside it, and a key that is
// rotated. There is also an accepted reset that takes over the objects of a crash. At the end comes a crash whose objects stay.
func whole(t *testing.T, root string) place {
	t.Helper()
	w := newWorld(t, root)
	w.keys, w.before = []ed25519.PrivateKey{checkpointtest.Key(1)}, []ed25519.PrivateKey{retiredKey()}
	w.run()
	fill := &exporter.Backfill{
		Stream: *w.exporter(archived, w.place.positions), Past: w.journal(archived, w.place.positions),
		Journal: w.journal(filled, w.place.positions, checkpoint.AnyOrder()), From: begin.AddDate(0, 0, -9),
	}
	check(t, fill.Run(t.Context()))
	for _, w.before = range [][]ed25519.PrivateKey{{retiredKey()}, {retiredKey(), checkpointtest.Key(1)}, nil} {
		w.later(26 * time.Hour)
		w.run()
	}
	w.server.Restore(w.server.Rows()[:150]...)
	w.later(time.Hour)
	for _, name := range []string{archived, posted} {
		e := w.exporter(name, w.place.positions)
		if err := e.RunOnce(t.Context()); !errors.Is(err, exporter.ErrSourceChanged) {
			t.Fatalf("the source was restored: %v", err)
		}
		_, err := e.AcceptReset(t.Context(), w.journal(name, w.place.positions), time.Time{}, "restored")
		check(t, err)
	}
	w.run()
	w.name = "https://new.example"
	for _, name := range []string{archived, filled, posted} {
		var options []checkpoint.Option
		if name == filled {
			options = append(options, checkpoint.AnyOrder())
		}
		_, err := w.journal(name, w.place.positions, options...).Move(t.Context(), "a new name", w.now)
		check(t, err)
	}
	w.later(26 * time.Hour)
	w.run()
	w.compact(3 * 24 * time.Hour)
	w.later(26 * time.Hour)
	w.crash()
	return w.place
}

// sound has the archive of whole. It is made once, and copied for each test.
var sound = struct {
	sync.Once
	root string
}{}

func TestMain(m *testing.M) {
	root, err := os.MkdirTemp("", "verify")
	if err != nil {
		panic(err)
	}
	sound.root = root
	code := m.Run()
	_ = os.RemoveAll(root)
	os.Exit(code)
}

// bodies are the objects of the sound archive, by "files/KEY" and "positions/KEY".
func bodies(t *testing.T) map[string][]byte {
	t.Helper()
	sound.Do(func() { whole(t, sound.root) })
	all := map[string][]byte{}
	check(t, filepath.WalkDir(sound.root, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasPrefix(entry.Name(), ".") {
			return err
		}
		name, err := filepath.Rel(sound.root, path)
		if err == nil {
			all[filepath.ToSlash(name)], err = os.ReadFile(path)
		}
		return err
	}))
	if len(all) < 30 {
		t.Fatalf("the sound archive has %d objects", len(all))
	}
	return all
}

// entryOf returns the name of an entry.
func entryOf(stream string, serial int) string {
	return fmt.Sprintf("positions/%s/%017d/%020d.json", stream, serial/1000, serial)
}

// entries returns the entries of a stream in a sound archive.
func entries(t *testing.T, all map[string][]byte, stream string) (list []checkpoint.Checkpoint) {
	t.Helper()
	for serial := 1; all[entryOf(stream, serial)] != nil; serial++ {
		var e checkpoint.Checkpoint
		check(t, json.Unmarshal(all[entryOf(stream, serial)], &e))
		list = append(list, e)
	}
	return list
}

// run verifies, and returns the errors and warnings as "code entry".
func run(t testing.TB, o verify.Options) (wrong []string, report *verify.Report) {
	t.Helper()
	report, err := verify.Run(t.Context(), o)
	check(t, err)
	for _, f := range report.Findings {
		if f.Text == "" || f.Advice == "" {
			t.Errorf("a finding without text or advice: %+v", f)
		}
		if f.Severity != verify.Info {
			wrong = append(wrong, fmt.Sprintf("%s %s %d", f.Severity, f.Code, f.Entry))
		}
	}
	return wrong, report
}

func codes(report *verify.Report) (all []verify.Code) {
	for _, f := range report.Findings {
		all = append(all, f.Code)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func hexSum(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}
