package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/sink/archive/compact"
	"github.com/houndtrail/houndtrail/sink/archive/read"
)

// leastAge is how far the stream is past the end of a day before the day is compacted. The rescans of the day are over by then,
// with the default RESCAN: if a late record came after that, its day would be written once more.
const leastAge = 48 * time.Hour

// CompactAge is the age from which on days are compacted if the user names none. The last rescan of a day reads RESCAN back from a
// whole day: so it is over a day after that.
func (s *Set) CompactAge() time.Duration { return max(leastAge, s.config.Rescan+24*time.Hour) }

// Compactor compacts the archive. A dry run commits nothing, and so opens no file of a signing key.
func (s *Set) Compactor(ctx context.Context, dry bool) (*compact.Compactor, error) {
	files, err := s.Files(ctx)
	if err != nil {
		return nil, err
	}
	open := s.CommitJournal
	if dry {
		open = s.Journal
	}
	own, err := open(ctx, Archive)
	if err != nil {
		return nil, err
	}
	backfill, err := s.Journal(ctx, BackfillOf(Archive))
	if err != nil {
		return nil, err
	}
	return &compact.Compactor{
		Files: files, Journal: own, Backfill: backfill,
		State:  checkpoint.OpenState[compact.Intent](s.journals, Archive, compact.StateName),
		Tenant: s.config.Tenant, Version: s.process.Version, Memory: s.process.Memory,
		OlderThan: s.CompactAge(), DryRun: dry, Log: s.log(Archive),
	}, nil
}

// Compact runs a compactor. Its error has the same outcome as that of a cycle.
func Compact(ctx context.Context, c *compact.Compactor) error {
	err := c.Run(ctx)
	if !errors.Is(err, checkpoint.ErrNotFound) {
		return compactError(err)
	}
	switch extents, look := read.Extents(ctx, c.Files, c.Tenant); {
	case look != nil:
		return compactError(look)
	case len(extents) > 0:
		return compactError(fmt.Errorf("%w: nothing was compacted; houndtrail status tells what to do: %w", exporter.ErrJournalGone, err))
	}
	return Usagef("there is nothing to compact: %w", err)
}

func compactError(err error) error {
	if err == nil {
		return nil
	}
	return &Error{Stream: Archive, Err: At(exporter.StageSink, err)}
}
