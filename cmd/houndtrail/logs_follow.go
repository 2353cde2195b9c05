package main

import (
	"context"
	"time"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/show"
	"github.com/houndtrail/houndtrail/exporter/bloodhound"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/page"
	"github.com/houndtrail/houndtrail/exporter/record"
)

// followBack is how far each request of --follow looks back for records that became visible late.
const followBack = 2 * time.Minute

// A follower prints records as they appear. It looks back over a span of time and remembers the ids that it has seen: ids are
// not in the order of time, and a record can become visible after newer ones.
type follower struct {
	client *bloodhound.Client
	query  bloodhound.Query // After is the start of the look-back; zero for the server's default
	seen   map[int64]time.Time
}

// follow prints the newest records and then those that appear, each once, until ctx ends.
func follow(ctx context.Context, client *bloodhound.Client, q bloodhound.Query, every time.Duration, out *show.Records) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	f := &follower{client: client, query: q, seen: map[int64]time.Time{}}
	records, err := f.begin(ctx)
	for {
		if ctx.Err() != nil {
			return nil // the user has ended the command
		}
		if err != nil {
			return err
		}
		if err := out.All(records); err != nil {
			return err
		}
		select {
		case <-ticker.C:
			records, err = f.appeared(ctx)
		case <-ctx.Done():
		}
	}
}

// begin returns the newest records. Older records within the look-back count as seen.
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

// appeared returns the records within the look-back that have appeared since the last request.
func (f *follower) appeared(ctx context.Context) ([]record.Record, error) {
	clock, err := f.client.Clock(ctx)
	if err != nil {
		return nil, err
	}
	now := clock.Server
	if now.Before(f.query.After) { // the server's clock was set back
		now = f.query.After
	}
	records, err := f.client.Span(ctx, f.query.After, now, f.query.Filters...)
	return f.fresh(records), err
}

// fresh are the records that the follower sees for the first time, oldest first. The start of the look-back follows the newest
// of them.
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
