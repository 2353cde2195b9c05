package exporter_test

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/archive/verify"
)

// A pairbox is an inbox that knows what each record says of its pair.
type pairbox struct {
	inbox

	said map[string]record.Record // by event id; without the texts of the server
}

func (r *pairbox) Prepare(win window.Window, records []record.Record) (
	write func(context.Context) (checkpoint.Receipt, error), size int64, err error,
) {
	inner, size, err := r.inbox.Prepare(win, records)
	kept := make([]record.Record, len(records))
	for i := range records {
		kept[i] = record.Record{
			ID: records[i].ID, CreatedAt: records[i].CreatedAt, Status: strings.Clone(records[i].Status), Began: records[i].Began,
			Lone: records[i].Lone,
		}
	}
	return func(ctx context.Context) (checkpoint.Receipt, error) {
		receipt, err := inner(ctx)
		if err == nil {
			r.mu.Lock()
			defer r.mu.Unlock()
			for i := range kept {
				r.said[eventOf(&kept[i])] = kept[i]
			}
		}
		return receipt, err
	}, size, err
}

func (r *pairbox) WriteParts(context.Context, window.Window, iter.Seq2[[]record.Record, error]) (checkpoint.Receipt, error) {
	panic("no window of these tests is that large")
}

// pairing is a run of the webhook that pairs intents with their outcomes.
func (w *world) pairing(to *pairbox, wait time.Duration) program {
	return func(positions, objects bucket.Bucket) error {
		e := w.process(positions, objects)
		e.Store, e.Sink, e.Destination, e.Pairs = w.siem(positions), to, exporter.Destination{}, wait
		e.Limits.Records = 40
		return e.RunOnce(w.t.Context())
	}
}

// actions are rows of a day from an instant on: an intent and its outcome for most of them. An action takes up to eight minutes. Some
// rows become visible late. The result maps each outcome to its intent.
func actions(random *rand.Rand, from time.Time, n int) (rows []bloodhoundtest.Row, intentOf map[int64]*bloodhoundtest.Row) {
	type half struct {
		bloodhoundtest.Row

		action int
	}
	var halves []half
	for i := range n {
		at := from.Add(time.Duration(random.Int64N(int64(day)))).Truncate(time.Microsecond)
		row := bloodhoundtest.Row{CreatedAt: at, Action: "CreateUser", Status: "intent", CommitID: fmt.Sprintf("%08d-0000-4000-8000-000000000000", i+1)}
		if random.IntN(20) == 0 {
			row.CommitID = ""
		}
		outcome := row
		outcome.CreatedAt, outcome.Status = at.Add(time.Duration(random.Int64N(int64(8*time.Minute)))).Truncate(time.Microsecond), "success"
		for _, r := range []*bloodhoundtest.Row{&row, &outcome} {
			if random.IntN(8) == 0 {
				r.VisibleAt = r.CreatedAt.Add(time.Duration(random.Int64N(int64(settle + overlap))))
			}
		}
		halves = append(halves, half{row, i})
		if random.IntN(10) > 0 { // or the server has crashed meanwhile
			halves = append(halves, half{outcome, i})
		}
	}
	slices.SortStableFunc(halves, func(a, b half) int { return a.CreatedAt.Compare(b.CreatedAt) })
	intents, intentOf := map[int]*bloodhoundtest.Row{}, map[int64]*bloodhoundtest.Row{}
	for i := range halves {
		h := &halves[i]
		if h.ID = int64(i + 1); h.Status == "intent" {
			intents[h.action] = &h.Row
		} else if h.CommitID != "" {
			intentOf[h.ID] = intents[h.action]
		}
		rows = append(rows, h.Row)
	}
	return rows, intentOf
}

// A stream that pairs sends each outcome, and of each intent either the outcome or the intent alone. It dies at random writes.
func TestPairs(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(seed, 1))
			start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
			rows, intentOf := actions(random, start, 400)
			w := startWorld(t, seed, bloodhoundtest.V84, start.Add(18*time.Hour), rows)
			to := &pairbox{inbox: inbox{got: map[string]int{}}, said: map[string]record.Record{}}
			run := w.pairing(to, overlap)
			waited := 0
			for w.now().Before(start.Add(day + time.Hour)) {
				if random.IntN(3) == 0 && w.dies(int64(1+random.IntN(10)), random.IntN(2) == 0, run) {
					w.pass(10 * time.Minute) // until its lease ends
				} else if err := run(w.positions, w.objects); err != nil {
					t.Fatal(err)
				}
				newest, err := w.siem(w.positions).Load(t.Context())
				if err != nil && newest.Serial > 0 {
					t.Fatal(err)
				}
				waited = max(waited, len(newest.Waiting))
				w.pass(time.Duration(1+random.IntN(300)) * time.Second)
			}
			if waited == 0 {
				t.Error("no intent has waited")
			}
			if err := run(w.positions, w.objects); err != nil {
				t.Fatal(err)
			}
			to.judge(t, rows, intentOf)
			w.verifyPairs()
		})
	}
}

// judge compares the records that came with the rows.
func (r *pairbox) judge(t *testing.T, rows []bloodhoundtest.Row, intentOf map[int64]*bloodhoundtest.Row) {
	t.Helper()
	hasOutcome, timed := map[int64]bool{}, 0
	for _, intent := range intentOf {
		hasOutcome[intent.ID] = true
	}
	for _, row := range rows {
		got, came := r.said[eventOf(&record.Record{ID: row.ID, CreatedAt: row.CreatedAt})]
		if row.Status == "intent" {
			late := !row.VisibleAt.IsZero() // then its outcome may be there before it, or only after it was sent alone
			if came != got.Lone || came && hasOutcome[row.ID] && !late && !lateOutcome(rows, intentOf, row.ID) || !came && !hasOutcome[row.ID] {
				t.Errorf("the intent %d, with an outcome: %t; came: %t, alone: %t", row.ID, hasOutcome[row.ID], came, got.Lone)
			}
			continue
		}
		intent := intentOf[row.ID]
		switch {
		case !came:
			t.Errorf("the outcome %d did not come", row.ID)
		case intent == nil && !got.Began.IsZero():
			t.Errorf("the outcome %d has no intent, and began at %s", row.ID, got.Began)
		case intent != nil && !got.Began.IsZero() && !got.Began.Equal(intent.CreatedAt):
			t.Errorf("the outcome %d began at %s, and its intent is of %s", row.ID, got.Began, intent.CreatedAt)
		case intent != nil && got.Began.IsZero() && intent.VisibleAt.IsZero() && row.VisibleAt.IsZero():
			t.Errorf("the outcome %d has not the time of its intent", row.ID)
		case intent != nil && !got.Began.IsZero():
			timed++
		}
	}
	if timed < len(intentOf)/2 {
		t.Errorf("only %d of %d outcomes have the times of their intents", timed, len(intentOf))
	}
}

func lateOutcome(rows []bloodhoundtest.Row, intentOf map[int64]*bloodhoundtest.Row, intent int64) bool {
	return slices.ContainsFunc(rows, func(row bloodhoundtest.Row) bool {
		return intentOf[row.ID] != nil && intentOf[row.ID].ID == intent && !row.VisibleAt.IsZero()
	})
}

// verifyPairs verifies the journal, in which no intent waits at last.
func (w *world) verifyPairs() {
	w.t.Helper()
	report, err := verify.Run(w.t.Context(), verify.Options{
		Journals: []verify.Journal{{Journal: w.siem(w.positions)}}, Positions: w.positions,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range report.Findings {
		if f.Severity != verify.Info {
			w.t.Errorf("%+v", f)
		}
	}
	newest, err := w.siem(w.positions).Load(w.t.Context())
	if err != nil || len(newest.Waiting) > 0 || newest.Totals.Paired == 0 {
		w.t.Errorf("%v, %d wait, %+v", err, len(newest.Waiting), newest.Totals)
	}
}

// When a stream stops to pair, it sends every intent that waits, and pairs no record more.
func TestPairsNoMore(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	row := func(id int64, minute int, commit, status string) bloodhoundtest.Row {
		return bloodhoundtest.Row{
			ID: id, CreatedAt: start.Add(time.Duration(minute) * time.Minute), Action: "CreateUser", CommitID: commit, Status: status,
		}
	}
	const a, b = "00000000-0000-4000-8000-00000000000a", "00000000-0000-4000-8000-00000000000b"
	w := startWorld(t, 1, bloodhoundtest.V84, start.Add(8*time.Minute), []bloodhoundtest.Row{
		row(1, 0, "", "success"), row(2, 5, a, "intent"), row(3, 10, a, "success"), row(4, 11, b, "intent"), row(5, 12, b, "success"),
	})
	to := &pairbox{inbox: inbox{got: map[string]int{}}, said: map[string]record.Record{}}
	cycle := func(wait time.Duration, want ...int64) {
		t.Helper()
		if err := w.pairing(to, wait)(w.positions, w.objects); err != nil {
			t.Fatal(err)
		}
		var came []int64
		for _, r := range to.said {
			came = append(came, r.ID)
		}
		slices.Sort(came)
		if !slices.Equal(came, want) {
			t.Fatalf("at %s, the receiver has %d, want %d", w.now(), came, want)
		}
	}
	cycle(overlap, 1)
	w.pass(time.Minute)
	cycle(overlap, 1)
	w.pass(10 * time.Minute)
	cycle(0, 1, 2, 3, 4, 5)
	for _, r := range to.said {
		if !r.Began.IsZero() || r.Lone != (r.ID == 2) {
			t.Errorf("%+v", r)
		}
	}
}
