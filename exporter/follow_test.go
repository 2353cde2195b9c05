package exporter_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/replay"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/archive/compact"
	"github.com/houndtrail/houndtrail/sink/archive/serve"
)

// An inbox counts the records that it gets, by their event ids. Its process may die with a post.
type inbox struct {
	mu    sync.Mutex
	got   map[string]int
	posts int
	dies  int // at this post; 0 for never
}

func eventOf(r *record.Record) string { return fmt.Sprintf("%d/%d", r.ID, r.CreatedAt.UnixMicro()) }

func (r *inbox) post(records []record.Record) (checkpoint.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.posts++; r.posts == r.dies {
		return checkpoint.Receipt{}, errors.New("the receiver is down")
	}
	for i := range records {
		r.got[eventOf(&records[i])]++
	}
	first, last := records[0], records[len(records)-1]
	return checkpoint.Receipt{Objects: []checkpoint.Object{{
		Key: fmt.Sprintf("batch-%d", r.posts), Records: len(records), MinID: first.ID, MaxID: first.ID, MinCreatedAt: first.CreatedAt,
		MaxCreatedAt: last.CreatedAt, SHA256: "00",
	}}}, nil
}

func (r *inbox) Prepare(_ window.Window, records []record.Record) (
	write func(context.Context) (checkpoint.Receipt, error), size int64, err error,
) {
	kept := append([]record.Record(nil), records...)
	return func(context.Context) (checkpoint.Receipt, error) {
		if len(kept) == 0 {
			return checkpoint.Receipt{}, nil
		}
		return r.post(kept)
	}, 0, nil
}

func (r *inbox) WriteParts(
	_ context.Context, _ window.Window, parts iter.Seq2[[]record.Record, error],
) (all checkpoint.Receipt, err error) {
	for records, err := range parts {
		if err != nil {
			return all, err
		}
		one, err := r.post(records)
		if err != nil {
			return all, err
		}
		all.Objects = append(all.Objects, one.Objects...)
	}
	return all, nil
}

// siem is the journal of the webhook.
func (w *world) siem(b bucket.Bucket) *checkpoint.Journal {
	return checkpoint.Open(b, checkpoint.Identity{Tenant: "a", Stream: "webhook", Source: w.http.URL, Destination: "https://siem"}, w.sign())
}

// source is the archive as a source.
func (w *world) source(positions, objects bucket.Bucket) *replay.Source {
	return replay.New(&replay.Archive{
		Journal: w.journal(positions), Backfill: w.backfilled(positions), Files: serve.New(objects, "acme", replay.Line), Now: w.now,
	})
}

// follower is a run of the webhook that follows the archive.
func (w *world) follower(positions, objects bucket.Bucket, to *inbox) *exporter.Exporter {
	e := w.process(positions, objects)
	archive := w.source(positions, objects)
	e.Source, e.Archive, e.Store, e.Sink, e.Destination = archive, archive, w.siem(positions), to, exporter.Destination{}
	e.Settle, e.Overlap, e.VerifyCount, e.Retention = 0, 0, false, exporter.Retention{Off: true}
	e.Limits.Records = 40
	return e
}

// A drama is a world with an archive, its backfill, and a webhook that follows them.
type drama struct {
	*world

	rand   *rand.Rand
	to     *inbox
	ever   map[string]bool // every record that was in the archive
	nextID int64
	log    []string
	killed bool // so events may come twice
}

func (d *drama) say(format string, args ...any) { d.log = append(d.log, fmt.Sprintf(format, args...)) }

func (d *drama) archive() {
	if err := d.own(d.positions, d.objects).RunOnce(d.t.Context()); errors.Is(err, exporter.ErrSourceChanged) {
		d.say("accept a reset")
		d.accept()
	} else if err != nil {
		d.t.Fatal(err)
	}
	d.note()
}

// note notes what the archive holds.
func (d *drama) note() {
	for _, r := range d.archived(d.objects) {
		d.ever[eventOf(&r)] = true
	}
}

func (d *drama) webhook() {
	run := func(positions, objects bucket.Bucket) error {
		return d.follower(positions, objects, d.to).RunOnce(d.t.Context())
	}
	switch d.rand.IntN(4) {
	case 0:
		at := int64(1 + d.rand.IntN(12))
		d.say("the webhook dies at write %d", at)
		d.killed = d.dies(at, d.rand.IntN(2) == 0, run) || d.killed
		d.pass(10 * time.Minute) // until its lease ends
	case 1:
		d.to.dies = d.to.posts + 1 + d.rand.IntN(4)
		d.say("the receiver fails at post %d", d.to.dies)
		d.killed = run(d.positions, d.objects) != nil || d.killed
		d.to.dies = 0
	default:
		d.say("webhook")
		if err := run(d.positions, d.objects); err != nil {
			d.t.Fatal(err)
		}
	}
}

func (d *drama) compactor() *compact.Compactor {
	return &compact.Compactor{
		Files: d.objects, Journal: d.journal(d.positions), Backfill: d.backfilled(d.positions),
		State:  checkpoint.OpenState[compact.Intent](d.positions, "archive", compact.StateName),
		Tenant: "acme", Version: "test", Memory: 96 << 20, Done: func(compact.Day) {},
	}
}

func (d *drama) step() {
	switch d.rand.IntN(12) {
	case 0, 1, 2:
		hours := 1 + d.rand.IntN(9)
		d.say("%d hours pass", hours)
		d.pass(time.Duration(hours) * time.Hour)
		for range d.rand.IntN(20) {
			d.nextID++
			d.server.Add(bloodhoundtest.Row{
				ID: d.nextID, CreatedAt: d.now().Add(-time.Duration(d.rand.IntN(hours*3600)) * time.Second), Action: "New",
			})
		}
		d.archive()
	case 3, 4, 5, 6:
		d.webhook()
	case 7:
		d.nextID++
		at := d.now().Add(-time.Duration(d.rand.IntN(20*3600)) * time.Second)
		d.say("id %d of %s appears late", d.nextID, at)
		d.server.Add(bloodhoundtest.Row{ID: d.nextID, CreatedAt: at, Action: "Late"})
	case 8:
		d.say("compact")
		d.killed = true // a late object that was compacted in between comes with its neighbours
		if err := d.compactor().Run(d.t.Context()); err != nil {
			d.t.Fatal(err)
		}
	case 9:
		from := d.rand.Float64() * (backfillDays - ownDays - 0.5)
		d.say("backfill from day %.2f", from)
		b := d.backfill(d.positions, d.objects)
		b.From, b.To = dayAt(from), dayAt(from+0.1+d.rand.Float64()*2)
		if b.To.After(dayAt(backfillDays - ownDays)) {
			b.To = dayAt(backfillDays - ownDays)
		}
		if err := b.Run(d.t.Context()); err != nil {
			d.t.Fatal(err)
		}
		d.note()
	case 10:
		if d.rand.IntN(3) == 0 {
			d.say("the newest record is gone: another source")
			rows := d.server.Rows()
			d.server.Delete(rows[len(rows)-1].ID)
			d.pass(time.Hour)
			d.archive()
		}
	case 11:
		d.say("the webhook and the archive")
		d.webhook()
		d.pass(30 * time.Minute)
		d.archive()
	}
}

// TestFollow: the stream delivers each record that was ever in the archive, and no other one, also if records come late and processes
// die. If no process died and no compaction ran, each record comes once.
func TestFollow(t *testing.T) {
	t.Parallel()
	seeds := 20
	if testing.Short() {
		seeds = 6
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			d := &drama{
				world: halfway(t), rand: rand.New(rand.NewPCG(uint64(seed), 1)), to: &inbox{got: map[string]int{}}, ever: map[string]bool{},
				nextID: 2_000_000,
			}
			d.rescan = 24 * time.Hour
			d.note()
			defer func() {
				if t.Failed() {
					for _, line := range d.log {
						t.Log(line)
					}
				}
			}()
			for range 25 {
				d.step()
			}
			d.pass(25 * time.Hour)
			d.archive()
			d.archive()
			for range 2 {
				if err := d.follower(d.positions, d.objects, d.to).RunOnce(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			d.check()
		})
	}
}

func (d *drama) check() {
	d.t.Helper()
	for id := range d.ever {
		if d.to.got[id] == 0 {
			d.t.Errorf("%s was archived and never delivered", id)
		}
	}
	for id, times := range d.to.got {
		if !d.ever[id] {
			d.t.Errorf("%s was delivered and never archived", id)
		}
		if times > 1 && !d.killed {
			d.t.Errorf("%s was delivered %d times", id, times)
		}
	}
}
