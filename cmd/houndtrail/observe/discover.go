package observe

import (
	"context"
	"slices"
	"strings"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
)

// deepest is how many folders below CHECKPOINT_URL a tenant's journals may lie: CHECKPOINT_URL itself, acme/, acme/checkpoints/, or
// one folder more.
const deepest = 3

// mostPlaces is the most folders that a discovery looks into. It keeps a wrong CHECKPOINT_URL, such as the root of a data lake, from
// costing a request for each folder of the lake.
const mostPlaces = 2000

// A place is a folder that has journals.
type place struct {
	folder  string // below the store's root, with a slash at its end; "" for the root
	streams []string
}

// discover finds the folders that have journals. It takes a request for each folder that it looks into, however long the journals
// are. It looks into no folder of an archive's files.
func discover(ctx context.Context, b bucket.Bucket, deepest int) (found []place, err error) {
	looked := 0
	var look func(folder string, depth int) error
	look = func(folder string, depth int) error {
		if looked++; looked > mostPlaces {
			return nil
		}
		names, err := b.Folders(ctx, folder)
		if err != nil {
			return err
		}
		p := place{folder: folder}
		for _, name := range names {
			switch {
			case name == stream.Archive || name == stream.Webhook:
				is, err := isJournal(ctx, b, folder+name+"/")
				if err != nil {
					return err
				}
				if is {
					p.streams = append(p.streams, name)
				}
			case depth < deepest && !strings.Contains(name, "=") && !slices.Contains(notJournals(), name):
				if err := look(folder+name+"/", depth+1); err != nil {
					return err
				}
			}
		}
		if len(p.streams) > 0 {
			found = append(found, p)
		}
		return nil
	}
	err = look("", 0)
	return found, err
}

// notJournals are the folders of an archive and of a journal that have no journals below them.
func notJournals() []string {
	return []string{"audit", "quarantine", "state", "delivered", "tile", stream.BackfillOf(stream.Archive), stream.BackfillOf(stream.Webhook)}
}

// isJournal tells whether a folder is that of a journal: it has working state, or entries.
func isJournal(ctx context.Context, b bucket.Bucket, folder string) (bool, error) {
	names, err := b.Folders(ctx, folder)
	return slices.ContainsFunc(names, func(name string) bool {
		return name == "state" || len(name) == 17 && strings.Trim(name, "0123456789") == ""
	}), err
}
