package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
)

// witness is the note or, where there is none, what a holder of the lease last knew to be the newest entry.
func (j *Journal) witness(ctx context.Context) (note, error) {
	noted, err := j.note(ctx)
	if err != nil || noted.Serial > 0 {
		return noted, err
	}
	lease, err := j.readLease(ctx)
	return note{Serial: lease.Serial, by: j.path(leaseName)}, err
}

// A head is where the journal ends, as far as the store tells.
type head struct {
	newest uint64 // highest serial that is there; 0 where there is none
	noted  note
	lost   bool // the noted entry is not there
}

// newest finds the highest serial, 0 in an empty stream. An entry that was noted and is gone is [ErrCorrupt]: starting
// again from an older position would send the same records twice.
func (j *Journal) newest(ctx context.Context) (uint64, note, error) {
	h, err := j.head(ctx)
	if err == nil && h.lost {
		err = j.lost(h.noted)
	}
	if err != nil {
		return 0, note{}, err
	}
	return h.newest, h.noted, nil
}

// head looks for the end of the journal.
//
// The note only says where to begin listing, so a missing, unreadable or old one costs time and nothing else. It is
// written after its entry, however, so the noted entry has to be there. A listing may be behind: an entry counts as lost
// only once it was asked for by its own name.
func (j *Journal) head(ctx context.Context) (head, error) {
	noted, err := j.witness(ctx)
	if err != nil {
		return head{}, err
	}
	h := head{noted: noted}
	listed, err := j.list(ctx, noted.Serial)
	if err != nil {
		return head{}, err
	}
	if len(listed) > 0 {
		h.newest = listed[len(listed)-1]
	}
	if noted.Serial > 0 && (len(listed) == 0 || listed[0] != noted.Serial) {
		if err := j.askFrom(ctx, &h); err != nil {
			return head{}, err
		}
	}
	if h.newest > 0 && !h.lost {
		j.seen.Store(h.newest)
	}
	return h, nil
}

// askFrom asks for the noted entry, which was not listed, and for those that follow it.
func (j *Journal) askFrom(ctx context.Context, h *head) error {
	serial := h.noted.Serial
	for ; ; serial++ {
		there, err := j.has(ctx, serial)
		if err != nil {
			return err
		}
		if !there {
			break
		}
		h.newest = max(h.newest, serial)
	}
	if h.lost = serial == h.noted.Serial; !h.lost {
		return nil
	}
	all, err := j.list(ctx, 0)
	if err == nil && len(all) > 0 {
		h.newest = all[len(all)-1]
	}
	return err
}

// has tells whether an entry is there, whatever it says.
func (j *Journal) has(ctx context.Context, serial uint64) (bool, error) {
	_, _, _, err := j.bucket.Get(ctx, j.key(serial))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read the checkpoint: %w", err)
	}
	return true, nil
}

// list returns the serials from first on that the store lists, in order, and for 0 all that there are.
//
// Only a listing of all looks at more than the segment of first and, as far as that goes to the end of it, those that follow.
func (j *Journal) list(ctx context.Context, first uint64) (serials []uint64, err error) {
	if first == 0 {
		// No journal will ever have 10^19 entries: every segment begins with a 0, and nothing else in the folder does.
		return j.listUnder(ctx, j.path("0"), "")
	}
	for number := first / segment; ; number++ {
		listed, err := j.listUnder(ctx, j.folder(number), j.key(first-1))
		if err != nil {
			return nil, err
		}
		serials = append(serials, listed...)
		if end := (number+1)*segment - 1; len(listed) == 0 || listed[len(listed)-1] < end {
			return serials, nil
		}
	}
}

// listUnder returns the serials under a prefix that come after a key, in order.
func (j *Journal) listUnder(ctx context.Context, prefix, after string) (serials []uint64, err error) {
	keys, err := j.bucket.List(ctx, prefix, after)
	if err != nil {
		return nil, fmt.Errorf("list the checkpoints: %w", err)
	}
	for _, key := range keys {
		if serial, ok := j.serial(key); ok {
			serials = append(serials, serial)
		}
	}
	return serials, nil
}

// first finds the lowest serial that is there: 1, unless the journal was pruned.
func (j *Journal) first(ctx context.Context, newest uint64) (uint64, error) {
	if whole, err := j.has(ctx, 1); err != nil || whole {
		return 1, err
	}
	for number := range newest/segment + 1 {
		serials, err := j.listUnder(ctx, j.folder(number), "")
		if err != nil {
			return 0, err
		}
		if len(serials) > 0 {
			return serials[0], nil
		}
	}
	return newest, nil // a listing that is behind does not even have the newest
}
