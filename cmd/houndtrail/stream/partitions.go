package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/sink/archive/read"
)

// Partitions are the tenants and the days of an archive.
type Partitions struct {
	Tenants []string  // by name; the tenant of the configuration is among them, even if it has no record yet
	First   time.Time // the first day; zero if there is no record and no journal
	Last    time.Time // the last day
}

// Partitions finds the tenants and the days of the archive. If the user names no tenants, it lists the archive and finds all.
// If the only tenant is the configuration's own, it reads the journal first: this takes fewer requests. Each error says how far
// Partitions came.
func (s *Set) Partitions(ctx context.Context, tenants []string) (p Partitions, err error) {
	p.Tenants = tenants
	own := slices.Equal(tenants, []string{s.Tenant()})
	if own {
		if p.First, p.Last, err = s.journalDays(ctx); err != nil || !p.First.IsZero() {
			return p, err
		}
	}
	files, err := s.Files(ctx)
	if err != nil {
		return p, err
	}
	extents, err := read.Extents(ctx, files, tenants...)
	if err != nil {
		return p, At(exporter.StageSink, err)
	}
	for _, e := range extents {
		if p.First.IsZero() || e.First.Before(p.First) {
			p.First = e.First
		}
		if e.Last.After(p.Last) {
			p.Last = e.Last
		}
	}
	if len(tenants) == 0 {
		p.Tenants = []string{s.Tenant()}
		for _, e := range extents {
			p.Tenants = append(p.Tenants, e.Tenant)
		}
		slices.Sort(p.Tenants)
		p.Tenants = slices.Compact(p.Tenants)
	}
	if len(extents) == 0 && !own {
		p.First, p.Last, err = s.journalDays(ctx)
	}
	return p, err
}

// journalDays returns two days from the archive's journals: the first day for which they account, and the last day with a
// record from the future. They are zero if there is no journal.
func (s *Set) journalDays(ctx context.Context) (first, last time.Time, err error) {
	for _, name := range []string{Archive, BackfillOf(Archive)} {
		journal, err := s.Journal(ctx, name)
		if err != nil {
			return first, last, err
		}
		newest, err := journal.Load(ctx)
		if errors.Is(err, checkpoint.ErrNotFound) {
			continue
		}
		if err != nil {
			return first, last, At(exporter.StageCheckpoint, fmt.Errorf("look for the first day in the journal: %w", err))
		}
		starts := []time.Time{newest.Start, newest.Window.Start}
		if newest.History != nil {
			starts = append(starts, newest.History.From)
		}
		for _, w := range newest.Covered {
			starts = append(starts, w.Start)
		}
		for _, at := range starts {
			if !at.IsZero() && (first.IsZero() || at.Before(first)) {
				first = at
			}
		}
		if newest.Ahead.After(last) {
			last = newest.Ahead
		}
	}
	return first, last, nil
}
