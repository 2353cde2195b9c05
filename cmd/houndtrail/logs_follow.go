package main

import (
	"context"
	"errors"
	"time"

	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/bloodhound"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/page"
	"github.com/houndtrail/houndtrail/exporter/record"
)

// followBack is how far each request of --follow looks back for records that became visible late.
const followBack = 2 * time.Minute

// A follower prints records as they appear. It looks back over a span of time and tells by id what it has seen: ids do not
// come in the order of time, and records become visible after newer ones.
type follower struct {
	client *bloodhound.Client
	query  bloodhound.Query // After is where the look-back begins; zero for the server's default
	seen   map[int64]time.Time
}

// follow prints the newest records and then those that appear, each once, until ctx ends.
func follow(ctx context.Context, client *bloodhound.Client, q bloodhound.Query, every time.Duration, out *recordPrinter) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	f := &follower{client: client, query: q, seen: map[int64]time.Time{}}
	records, err := f.begin(ctx)
	for {
		if ctx.Err() != nil {
			return nil // the reader has seen enough
		}
		if err != nil {
			return err
		}
		for _, r := range records {
			if err := out.record(r); err != nil {
				return err
			}
		}
		if err := out.flush(); err != nil {
			return err
		}
		select {
		case <-ticker.C:
			records, err = f.appeared(ctx)
		case <-ctx.Done():
		}
	}
}

// begin returns the newest records. What they leave out of the look-back counts as seen.
func (f *follower) begin(ctx context.Context) ([]record.Record, error) {
	page, err := f.client.Logs(ctx, f.query)
	if err != nil || len(page.Records) == 0 {
		return nil, err
	}
	newest := f.fresh(page.Records)
	if oldest := newest[0].CreatedAt; !oldest.Before(f.query.After) {
		rest, err := f.client.Span(ctx, f.query.After, oldest, f.query.Filters...)
		if err != nil {
			return nil, err
		}
		f.fresh(rest)
	}
	return newest, nil
}

// appeared returns what came in since, as far back as it looks.
func (f *follower) appeared(ctx context.Context) ([]record.Record, error) {
	clock, err := f.client.Clock(ctx)
	if err != nil {
		return nil, err
	}
	now := clock.Server
	if now.Before(f.query.After) { // it was set back
		now = f.query.After
	}
	records, err := f.client.Span(ctx, f.query.After, now, f.query.Filters...)
	return f.fresh(records), err
}

// fresh are the records that were not seen before, oldest first. The look-back moves on behind the newest of them.
func (f *follower) fresh(records []record.Record) []record.Record {
	var fresh []record.Record
	for _, r := range page.Sort(records) {
		if at, ok := f.seen[r.ID]; ok && at.Equal(r.CreatedAt) {
			continue
		}
		f.seen[r.ID] = r.CreatedAt
		fresh = append(fresh, r)
		if back := r.CreatedAt.Add(-followBack); back.After(f.query.After) {
			f.query.After = back
		}
	}
	for id, at := range f.seen {
		if at.Before(f.query.After) {
			delete(f.seen, id)
		}
	}
	return fresh
}

// failedSource gives an API failure outside a cycle the exit code of one inside.
func failedSource(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	return &exporter.Error{Stage: exporter.StageSource, Err: err}
}
