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
	SHA256 string `json:"sha256"` // the only witness of the newest entry's bytes, which no later entry chains to yet
	by     string // key of the object that says so
}

// A notebook is what a journal has to note: the entry that it committed last. While a lease is held that waits until it is
// given up, so that a cycle of many commits rewrites the note once.
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

// end counts one that is given up, and notes what was committed under it.
func (j *Journal) end(ctx context.Context) {
	j.notes.mu.Lock()
	defer j.notes.mu.Unlock()
	j.notes.leases--
	j.settle(ctx)
}

// note reads the note; one that is missing or makes no sense is the zero note. A store that fails to answer is an error all
// the same, since without the note a loss goes unseen.
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

// writeLatestHint notes an entry that was committed: later, if a lease is held. An adoption is noted at once, over whatever is noted of
// entries that were lost, and only there is it an error if that fails.
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

// settle writes down what is to be noted, unless a lease is held.
func (j *Journal) settle(ctx context.Context) {
	if j.notes.leases > 0 {
		return
	}
	if err := j.write(ctx, false); err != nil && j.warn != nil {
		j.warn(fmt.Errorf("note in %s that entry %d is the newest: %w: nothing is lost by that, but each start lists all entries "+
			"since the noted one until it is put right", j.at(j.path(latestName)), j.notes.pending.Serial, err))
	}
}

// write writes what is to be noted over the note that was seen last, and if that is another one by now, over that unless it
// is of a later entry. Of a note that could not be written, the one of a later entry takes the place.
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
