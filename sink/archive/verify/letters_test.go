package verify_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/archive/verify"
	"github.com/houndtrail/houndtrail/sink/webhook/deadletter"
)

// A picky receiver refuses the first two records of each window, and takes the others.
type picky struct {
	receiver
	box *deadletter.Box
}

func (p *picky) Prepare(w window.Window, records []record.Record) (func(context.Context) (checkpoint.Receipt, error), int64, error) {
	bad := slices.Clone(records[:min(2, len(records))])
	taken, _, err := p.receiver.Prepare(w, records[len(bad):])
	return func(ctx context.Context) (checkpoint.Receipt, error) {
		receipt, err := taken(ctx)
		for i, r := range bad {
			l, failed := p.box.Write(ctx, deadletter.Letter{
				EventID: fmt.Sprint("acme/", r.ID), ID: r.ID, CreatedAt: r.CreatedAt, Status: 400, Format: "ndjson", Item: []byte(r.Raw),
			})
			if l.Nth = int64(i + 1); failed != nil {
				return receipt, failed
			}
			receipt.Letters = append(receipt.Letters, l)
		}
		return receipt, err
	}, 1, err
}

// TestLetters: an open letter that is gone or was changed is found, and so is a letter that no entry names. A letter that was settled
// need not be there.
func TestLetters(t *testing.T) {
	t.Parallel()
	sound := func(string) {}
	rewrite := func(path string) {
		body, err := os.ReadFile(path)
		check(t, err)
		check(t, os.WriteFile(path, flip(body), 0o600))
	}
	remove := func(path string) { check(t, os.Remove(path)) }
	plant := func(path string) {
		check(t, os.WriteFile(filepath.Join(filepath.Dir(path), "7-1767225600000000.json"), []byte("{}\n"), 0o600))
	}
	const open = "warn dead-letters" // and the newest entry
	for name, test := range map[string]struct {
		change func(letter string)
		drop   bool // the letter is settled before the change
		ask    func(*verify.Options)
		want   []string
	}{
		"sound":                        {change: sound, want: []string{open}},
		"missing":                      {change: remove, want: []string{"error letter-missing 0", open}},
		"changed":                      {change: rewrite, want: []string{"error letter-differs 0", open}},
		"no entry names it":            {change: plant, want: []string{open, "warn letter-unknown 0"}},
		"only the newest entries":      {change: remove, ask: func(o *verify.Options) { o.Depth = verify.Heads }, want: []string{open}},
		"missing, seen by a sample":    {change: remove, ask: withSample, want: []string{"error letter-missing 0", open}},
		"planted, unseen by one":       {change: plant, ask: withSample, want: []string{open}},
		"missing after it was dropped": {change: remove, drop: true, want: []string{open}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			w := newWorld(t, root)
			journal := w.journal(posted, w.place.positions)
			e := w.exporter(posted, w.place.positions)
			e.Sink = &picky{box: deadletter.NewBox(w.place.positions, posted, journal.Load)}
			check(t, e.RunOnce(t.Context()))
			newest, err := journal.Load(t.Context())
			check(t, err)
			if len(newest.DeadLetters) < 2 {
				t.Fatalf("%d letters after %d entries", len(newest.DeadLetters), newest.Serial)
			}
			victim := newest.DeadLetters[0]
			if test.drop {
				lease, err := journal.Acquire(t.Context())
				check(t, err)
				_, err = journal.SettleLetters(t.Context(), lease, newest, checkpoint.Settlement{
					Dropped: []checkpoint.Letter{victim}, Reason: "a test",
				}, nil)
				check(t, err)
				check(t, lease.Release(t.Context()))
			}
			test.change(filepath.Join(root, "positions", filepath.FromSlash(deadletter.Key(posted, victim))))
			o := w.place.options(verify.Objects)
			if test.ask != nil {
				test.ask(&o)
			}
			got, _ := run(t, o)
			slices.Sort(got)
			for i, g := range got {
				if strings.HasPrefix(g, open) {
					got[i] = open
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func withSample(o *verify.Options) {
	o.Sample = &verify.Sample{Seed: "s", Part: 1, Parts: 1, Newest: 10}
}
