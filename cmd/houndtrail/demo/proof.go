package demo

import (
	"context"
	"fmt"
	"strings"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
)

// A proof compares the records that the demo's BloodHound served with the records that arrived.
type proof struct {
	served    int // rows in the log
	objects   int
	archived  map[int64]int // times, by id
	forwarded map[string]int
	batches   int
	missing   int // served but not archived
}

// prove reads the archive back from the disk and counts.
func (w *world) prove(ctx context.Context, set *stream.Set) (*proof, error) {
	b, err := set.Files(ctx)
	if err != nil {
		return nil, err
	}
	keys, err := b.List(ctx, "audit/", "")
	if err != nil {
		return nil, err
	}
	p := &proof{objects: len(keys), archived: map[int64]int{}}
	format := set.Encoder()
	for _, key := range keys {
		body, _, _, err := b.Get(ctx, key)
		if err != nil {
			return nil, err
		}
		ids, err := format.IDs(body)
		if err != nil {
			return nil, fmt.Errorf("reading %s back: %w", key, err)
		}
		for _, id := range ids {
			p.archived[id]++
		}
	}
	for _, row := range w.server.Rows() {
		p.served++
		if p.archived[row.ID] == 0 {
			p.missing++
		}
	}
	p.forwarded, p.batches = w.receiver.Events()
	return p, nil
}

func (p *proof) holds() bool {
	return p.missing == 0 && len(p.archived) == p.served && len(p.forwarded) == p.served && twice(p.archived) == 0
}

func twice[K comparable](times map[K]int) (n int) {
	for _, t := range times {
		if t > 1 {
			n++
		}
	}
	return n
}

// String is the proof in words.
func (p *proof) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "  %8d records in BloodHound's audit log\n", p.served)
	fmt.Fprintf(&b, "  %8d ids in %d Parquet files, %d of them twice, %d missing\n", len(p.archived), p.objects, twice(p.archived), p.missing)
	fmt.Fprintf(&b, "  %8d event ids at the webhook in %d batches, %d of them twice\n", len(p.forwarded), p.batches, twice(p.forwarded))
	if p.holds() {
		b.WriteString("\n  Nothing lost, nothing twice.\n")
	}
	return b.String()
}
