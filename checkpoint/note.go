package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
)

// A note is the object <stream>/state/latest: the entry that its writer committed last.
type note struct {
	Serial uint64 `json:"serial"`
	SHA256 string `json:"sha256"` // the only check on the newest entry's bytes, since no later entry has their SHA-256 yet
	by     string // key of the object that says so
}

// A notebook remembers the entry that a journal committed last, until the note is written. While this journal holds a lease,
// the note waits until the lease is given up, so that a cycle of many commits rewrites it once.
type notebook struct {
	mu      sync.Mutex
	leases  int    // that are held
	version string // of the note, as it was read or written last
	pending note
}

// begin counts a lease that is held.
func (n *notebook) begin() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.leases++
}

// end counts a lease that is given up, and notes the entry that was committed under it.
func (j *Journal) end(ctx context.Context) {
	j.notes.mu.Lock()
	defer j.notes.mu.Unlock()
	j.notes.leases--
	j.settle(ctx)
}

// note reads the note. A note that is missing or makes no sense is the zero note. If the store does not answer, that is an
// error all the same: without the note, Houndtrail does not notice a loss.
func (j *Journal) note(ctx context.Context) (n note, err error) {
	n, version, err := j.readNote(ctx)
	if err == nil {
		j.notes.mu.Lock()
		defer j.notes.mu.Unlock()
		j.notes.version = version
	}
	return n, err
}

func (j *Journal) readNote(ctx context.Context) (n note, version string, err error) {
	key := j.path(latestName)
	n, version, err = State[note]{j.bucket, key}.read(ctx)
	if err != nil {
		return note{}, "", fmt.Errorf("read which checkpoint is the newest: %w", err)
	}
	if n.Serial > 0 {
		n.by = key
	}
	return n, version, nil
}

// writeLatestHint notes an entry that was committed; if a lease is held, later. It notes an adoption at once, over a note of entries that
// were lost. Only for an adoption is a failure an error.
func (j *Journal) writeLatestHint(ctx context.Context, n note, adopted bool) error {
	j.notes.mu.Lock()
	defer j.notes.mu.Unlock()
	j.notes.pending = n
	if adopted {
		return j.write(ctx, true)
	}
	j.settle(ctx)
	return nil
}

// settle writes the pending note, unless a lease is held.
func (j *Journal) settle(ctx context.Context) {
	if j.notes.leases > 0 {
		return
	}
	if err := j.write(ctx, false); err != nil && j.warn != nil {
		j.warn(fmt.Errorf("note in %s that entry %d is the newest: %w: nothing is lost by that, but each start lists all entries "+
			"since the noted one until it is put right", j.at(j.path(latestName)), j.notes.pending.Serial, err))
	}
}

// write replaces the note that this journal saw last with the pending one. If another writer has replaced it meanwhile, write
// replaces that note too, unless it is of the same or a later entry (for an adoption, in any case). If the write fails, the
// note stays pending until a later one takes its place.
func (j *Journal) write(ctx context.Context, adopted bool) error {
	n := &j.notes
	if n.pending.Serial == 0 {
		return nil
	}
	body, err := marshal(n.pending)
	if err != nil {
		return err
	}
	put := func() (err error) {
		version, err := j.bucket.Put(ctx, j.path(latestName), body, n.version)
		if err == nil {
			n.version, n.pending = version, note{}
		}
		return err
	}
	if err = put(); !errors.Is(err, fs.ErrExist) && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	old, version, err := j.readNote(ctx)
	if err != nil {
		return err
	}
	if n.version = version; old.Serial >= n.pending.Serial && !adopted {
		n.pending = note{}
		return nil
	}
	return put()
}
