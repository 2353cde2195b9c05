package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log"
	"path/filepath"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket/dir"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// The numbers of entries of a journal of about a day, and of five years.
const (
	shortJournal = 1_000
	longJournal  = 500_000
)

// journals compares the cost of an idle cycle after few entries with its cost after many, in a directory.
func (b *bench) journals() error {
	b.rounds = cmp.Or(b.rounds, 21)
	const records = 50 // so few that each entry has the ids of all of them
	s, err := b.serve(records, "2s")
	if err != nil {
		return err
	}
	defer s.stop()
	places := [2]int{}
	for i, entries := range []int{shortJournal, longJournal} {
		if _, err := b.export(s, archive); err != nil {
			return err
		}
		log.Printf("a journal of %d entries", entries)
		if err := lengthen(context.Background(), filepath.Join(b.folder(), "checkpoints"), uint64(entries)); err != nil {
			return err
		}
		if _, err := b.again(s, archive); err != nil { // catches up with the time since
			return err
		}
		places[i] = b.exports
	}
	var idle [2][]usage
	for range b.rounds {
		for i, place := range places {
			b.exports = place
			u, err := b.again(s, archive)
			if err != nil {
				return err
			}
			idle[i] = append(idle[i], u)
		}
	}
	b.exports = places[1]
	header("bar")
	figure := fmt.Sprintf("CPU of an idle cycle, %d entries / %d (%.0f ms)", longJournal, shortJournal, 1e3*median(idle[1], cpu))
	b.row(figure, "%.2f", ratio(idle[1], idle[0], cpu), "1.5")
	b.row(fmt.Sprintf("peak RSS of it, %d entries / %d", longJournal, shortJournal), "%.2f", ratio(idle[1], idle[0], rss), "1.5")
	return nil
}

// lengthen adds entries that account for nothing to the archive's journal. At the end, the journal has the given number of
// entries.
func lengthen(ctx context.Context, folder string, entries uint64) (err error) {
	store, err := dir.Open(folder)
	if err != nil {
		return err
	}
	unknown := checkpoint.Open(store, checkpoint.Identity{Stream: "archive"})
	last, err := unknown.Tip(ctx)
	if err != nil {
		return err
	}
	if last.DeliveredBase != nil {
		return errors.New("the entry does not have all delivered ids: make the history shorter")
	}
	j := checkpoint.Open(store, checkpoint.Identity{
		Tenant: last.Tenant, Stream: last.Stream, Source: last.Source, Destination: last.Destination, Encoding: last.Encoding,
		Writer: last.Writer,
	})
	lease, err := j.Acquire(ctx) // while it is held, no commit writes the note
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lease.Release(ctx)) }()
	for last.Serial < entries {
		next := last.Checkpoint
		next.Kind, next.Window = checkpoint.KindBarrier, window.Window{Start: last.Cursor, End: last.Cursor, Pass: last.Epoch}
		next.Records, next.ServerCount, next.Objects = checkpoint.Counts{}, nil, nil
		if last, err = j.Commit(ctx, last, next); err != nil {
			return err
		}
	}
	return nil
}
