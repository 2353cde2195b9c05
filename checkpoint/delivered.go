package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
)

// deliveredFolder holds the snapshots of sets of delivered ids, each by its SHA-256.
const deliveredFolder = "delivered/"

// A Base says which earlier set of delivered ids an entry's own set builds on.
type Base struct {
	// Serial is the entry that has the set whole. The changes of the entries after it, in order, make this entry's set.
	Serial uint64 `json:"serial"`
	// SHA256 names the snapshot of the set at that entry; "" if that entry itself has the set.
	SHA256 string `json:"sha256,omitempty"`
}

// base is the Base of an entry, also of one that has its set whole.
func (c *Checkpoint) base() Base {
	if c.DeliveredBase != nil {
		return *c.DeliveredBase
	}
	return Base{Serial: c.Serial}
}

// fits tells whether an entry can have this base.
func (b Base) fits(c *Checkpoint) bool {
	if b.Serial == c.Serial {
		return b.SHA256 != "" && len(c.Delivered) == 0
	}
	return b.Serial > 0 && b.Serial < c.Serial && c.Kind != KindAdopt // an adoption must not depend on lost entries
}

// Next is the Base of an entry after this one whose Delivered has only the changes to the set.
func (c *Checkpoint) Next() *Base {
	base := c.base()
	return &base
}

// Unchanged returns the two fields of an entry after this one that does not change the set of delivered ids.
func (c *Checkpoint) Unchanged() (delivered []byte, base *Base) {
	if c.DeliveredBase == nil {
		return c.Delivered, nil
	}
	return nil, c.Next()
}

// Snapshot writes a set of delivered ids as an object of its own, and returns the Base of the entry after prev that has this
// set. A crash after that leaves an object that no entry names.
func (j *Journal) Snapshot(ctx context.Context, prev Stored, set []byte) (*Base, error) {
	b := &Base{Serial: prev.Serial + 1, SHA256: digest(set)}
	_, err := j.bucket.Put(ctx, j.snapshot(b.SHA256), set, "")
	if errors.Is(err, fs.ErrExist) { // of an attempt that was not committed
		_, err = j.readSnapshot(ctx, b.SHA256)
	}
	if err != nil {
		return nil, fmt.Errorf("write down which records were delivered: %w", err)
	}
	return b, nil
}

// Delivered reads the set of delivered ids of an entry: an earlier set, nil if that was empty, and the changes since, oldest
// first. There are few changes, and each entry that has one is verified against the previous entry.
func (j *Journal) Delivered(ctx context.Context, s Stored) (set []byte, changes [][]byte, err error) {
	base := s.base()
	if base.Serial == s.Serial && base.SHA256 == "" {
		return s.Delivered, nil, nil
	}
	first := base.Serial
	if base.SHA256 != "" {
		if set, err = j.readSnapshot(ctx, base.SHA256); err != nil {
			return nil, nil, err
		}
		first++
	}
	if base.Serial == s.Serial {
		return set, nil, nil
	}
	var before Stored
	for entry, err := range j.read(ctx, first, s.Serial-1) {
		if err == nil && before.Serial > 0 {
			err = j.follows(before, entry)
		}
		if err != nil {
			return nil, nil, err
		}
		if entry.DeliveredBase == nil {
			set = entry.Delivered
		} else {
			changes = append(changes, entry.Delivered)
		}
		before = entry
	}
	if before.Serial > 0 {
		err = j.follows(before, s)
	}
	return set, append(changes, s.Delivered), err
}

func (j *Journal) snapshot(sha256 string) string { return j.path(deliveredFolder + sha256) }

// readSnapshot reads a snapshot and verifies it.
func (j *Journal) readSnapshot(ctx context.Context, sha256 string) ([]byte, error) {
	key := j.snapshot(sha256)
	body, _, _, err := j.bucket.Get(ctx, key)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, j.corrupt(key, errors.New("it is missing, and says which records were delivered"))
	case err != nil:
		return nil, fmt.Errorf("read which records were delivered: %w", err)
	case digest(body) != sha256:
		return nil, j.corrupt(key, fmt.Errorf("its SHA-256 is %s, and not its name: it was changed", digest(body)))
	}
	return body, nil
}
