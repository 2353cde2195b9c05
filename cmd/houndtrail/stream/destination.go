package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/archive/read"
)

// archiveDestination answers an exporter's questions about the archive's files.
func archiveDestination(b bucket.Reader, tenant string) exporter.Destination {
	attempt := func(ctx context.Context, w window.Window) (keys []string, err error) {
		objects, _, err := read.Objects(ctx, b, tenant)
		for _, o := range objects {
			if o.Of(w.Start, w.Pass) {
				keys = append(keys, o.Key())
			}
		}
		return keys, err
	}
	return exporter.Destination{
		Occupied: func(ctx context.Context, before time.Time, own []window.Window) (string, error) {
			objects, unknown, err := read.Objects(ctx, b, tenant)
			if before.IsZero() && len(unknown) > 0 { // it may be a renamed object
				return unknown[0], err
			}
			for _, o := range objects {
				attempted := slices.ContainsFunc(own, func(w window.Window) bool { return o.Of(w.Start, w.Pass) })
				if !attempted && (before.IsZero() || o.Start.Before(before)) {
					return o.Key(), err
				}
			}
			return "", err
		},
		Attempt: attempt,
		Recall: func(ctx context.Context, key string, add func(int64, time.Time)) error {
			body, _, _, err := b.Get(ctx, key)
			if err != nil {
				return err
			}
			file, err := read.Open(body, key)
			if err != nil {
				return err
			}
			return file.Each(func(id int64, createdAt time.Time) error {
				add(id, createdAt)
				return nil
			})
		},
	}
}

// webhookDestination answers an exporter's questions about a receiver. Houndtrail cannot ask the receiver itself. It looks at
// the archive's files and journal, and draws a conclusion.
//
// A webhook without a journal is either new, or has lost its journal. If the archive has files but no journal, both journals
// are lost, or the user has changed the journals' place: then Houndtrail delivers nothing. If the archive has a journal, the
// webhook may begin.
func webhookDestination(files bucket.Reader, archive *checkpoint.Journal, positions fmt.Stringer, tenant string) exporter.Destination {
	known := func(ctx context.Context) (bool, error) {
		_, err := archive.Load(ctx)
		if errors.Is(err, checkpoint.ErrNotFound) {
			return false, nil
		}
		if err != nil && !UnsoundJournal(err) { // a damaged journal exists too
			return false, err
		}
		return true, nil
	}
	return exporter.Destination{
		Occupied: func(ctx context.Context, before time.Time, _ []window.Window) (string, error) {
			if !before.IsZero() {
				return "", nil
			}
			held := archiveDestination(files, tenant)
			if key, err := held.Occupied(ctx, before, nil); key == "" || err != nil {
				return "", err
			}
			// The archive's own first cycle may run at the same time. It declares a window before it writes, and it has a journal before
			// it declares the second window. Because of the order of these questions, Houndtrail never takes that cycle's files for
			// files without a journal.
			lease, err := archive.LeaseStatus(ctx)
			if err != nil {
				return "", err
			}
			key, err := held.Occupied(ctx, before, lease.Intents)
			if key == "" || err != nil {
				return "", err
			}
			if there, err := known(ctx); there || err != nil {
				return "", err
			}
			return "", fmt.Errorf("%w: the webhook has no journal in %s, and the archive, which has files (%s), has none there "+
				"either. Nothing was delivered. If the journals are elsewhere (another CHECKPOINT_URL, a volume that is not mounted, a "+
				"backup), put that right. If they are lost, houndtrail adopt makes a new one of the archive; the webhook then begins by "+
				"HOUNDTRAIL_START: set it to the time of the last event that the receiver has", exporter.ErrJournalGone, positions, key)
		},
		Beside: func(ctx context.Context) (string, error) {
			there, err := known(ctx)
			if !there || err != nil {
				return "", err
			}
			return Archive, nil
		},
	}
}
