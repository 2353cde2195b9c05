package main

import (
	"context"
	"errors"
	"time"

	"houndtrail/exporter"
	"houndtrail/exporter/bloodhound"
)

// followBack is how far each request of --follow looks back for records that became visible late.
const followBack = 2 * time.Minute

// follow prints the newest records and then those that appear, each once, until ctx ends.
func follow(ctx context.Context, client *bloodhound.Client, q bloodhound.Query, every time.Duration, out *recordPrinter) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	printed := map[int64]time.Time{} // of the look-back, by id
	for {
		records, err := readBack(ctx, client, q, len(printed) > 0)
		if ctx.Err() != nil {
			return nil // the reader has seen enough
		}
		if err != nil {
			return err
		}
		for _, r := range records {
			if at, ok := printed[r.ID]; ok && at.Equal(r.CreatedAt) {
				continue
			}
			printed[r.ID] = r.CreatedAt
			if err := out.record(r); err != nil {
				return err
			}
			if back := r.CreatedAt.Add(-followBack); back.After(q.After) {
				q.After = back
			}
		}
		for id, at := range printed {
			if at.Before(q.After) {
				delete(printed, id)
			}
		}
		if err := out.flush(); err != nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// readBack reads one page, and, where all of a span is wanted, the pages behind it until it has reached q.After. The
// records come oldest first.
func readBack(ctx context.Context, client *bloodhound.Client, q bloodhound.Query, all bool) ([]bloodhound.Record, error) {
	var records []bloodhound.Record
	for {
		page, err := client.Logs(ctx, q)
		if err != nil {
			return nil, err
		}
		records = append(records, page.Records...)
		n := len(page.Records)
		if !all || n == 0 || n < q.Limit || page.Records[n-1].CreatedAt.Equal(q.Before) {
			break
		}
		q.Before = page.Records[n-1].CreatedAt
	}
	return bloodhound.Sort(records), nil
}

// failedSource gives an API failure outside a cycle the exit code of one inside.
func failedSource(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	return &exporter.Error{Stage: exporter.StageSource, Err: err}
}
