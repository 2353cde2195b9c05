package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
)

// witness is the note. If there is no note, it is the newest entry that the last holder of the lease knew.
func (j *Journal) witness(ctx context.Context) (note, error) {
	noted, err := j.note(ctx)
	if err != nil || noted.Serial > 0 {
		return noted, err
	}
	lease, err := j.readLease(ctx)
	return note{Serial: lease.Serial, by: j.path(leaseName)}, err
}

// A head is the end of the journal, as far as the store tells.
type head struct {
	newest uint64 // highest serial that is there; 0 if there is none
	noted  note
	lost   bool // the noted entry is not there
}

// newest finds the highest serial; 0 in an empty stream. If the noted entry is gone, the error is [ErrCorrupt]: a run from an
// older position would send the same records twice.
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
// The note only gives the entry from which head lists. So a note that is missing, unreadable or old costs only time. But
// Houndtrail writes a note after its entry, so the noted entry has to exist. A listing may be behind. So an entry counts as lost
// only if the store does not have its key either.
func (j *Journal) head(ctx context.Context) (head, error) {
	noted, err := j.witness(ctx)
	if err != nil {
		return head{}, err
	}
	return j.headFrom(ctx, noted)
}

// headFrom is head for a note that was read already.
func (j *Journal) headFrom(ctx context.Context, noted note) (head, error) {
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

// askFrom asks for the noted entry, because the listing does not have it, and for the entries after it.
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

// has tells whether an entry exists. It does not read the content.
func (j *Journal) has(ctx context.Context, serial uint64) (bool, error) {
	_, _, _, err := j.bucket.Get(ctx, j.Key(serial))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read the checkpoint: %w", err)
	}
	return true, nil
}

// list returns the serials that the store lists, from first on and in order. If first is 0, it returns all of them.
//
// If first is not 0, list reads the segment of first. It reads the next segment only if the store lists the previous one to its
// end.
func (j *Journal) list(ctx context.Context, first uint64) (serials []uint64, err error) {
	if first == 0 {
		// No journal will ever have 10^19 entries: every segment's name begins with a 0, and no other name in the folder does.
		return j.listUnder(ctx, j.path("0"), "")
	}
	for number := first / segment; ; number++ {
		listed, err := j.listUnder(ctx, j.folder(number), j.Key(first-1))
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

// first finds the lowest serial that exists: 1, unless the journal was pruned.
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
	return newest, nil // the listing is behind, and does not have even the newest entry
}

// A note is the object <stream>/state/latest: the entry that its writer committed last.
type note struct {
	Serial uint64 `json:"serial"`
	SHA256 string `json:"sha256"` // the only check on the newest entry's bytes, since no later entry has their SHA-256 yet
	Head   string `json:"head"`   // of the tree with that entry as its newest
	by     string // key of the object that names the entry
}

// A notebook remembers the entry that a journal committed last, until the note is written. While this journal holds a lease, the
// note waits until the journal gives the lease up. So a cycle of many commits rewrites the note once.
type notebook struct {
	mu      sync.Mutex
	leases  int    // the number of leases that are held
	version string // of the note, when this process last read or wrote it
	pending note
}

// begin counts a lease that is held.
func (n *notebook) begin() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.leases++
}

// end counts a lease that is given up, and notes the entry that was committed under it.
func (j *Journal) end(ctx context.Context) error {
	j.notes.mu.Lock()
	defer j.notes.mu.Unlock()
	j.notes.leases--
	return j.settle(ctx)
}

// note reads the note. A note that is missing or makes no sense is the zero note. If the store does not answer, that is an error:
// without the note, Houndtrail does not notice a loss.
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

// writeLatestHint notes an entry that was committed. If the journal holds a lease, it notes the entry later. It notes an adoption
// at once, over a note of entries that are lost. A failed write is an error only for an adoption. A note of another history is
// always an error.
func (j *Journal) writeLatestHint(ctx context.Context, n note, adopted bool) error {
	j.notes.mu.Lock()
	defer j.notes.mu.Unlock()
	j.notes.pending = n
	if adopted {
		return j.write(ctx, true)
	}
	return j.settle(ctx)
}

// settle writes the pending note, unless a lease is held.
func (j *Journal) settle(ctx context.Context) error {
	if j.notes.leases > 0 {
		return nil
	}
	serial := j.notes.pending.Serial
	err := j.write(ctx, false)
	if errors.Is(err, ErrCorrupt) {
		return err
	}
	if err != nil && j.warn != nil {
		j.warn(fmt.Errorf("note in %s that entry %d is the newest: %w: nothing is lost by that, but each start lists all entries "+
			"since the noted one until it is put right", j.at(j.path(latestName)), serial, err))
	}
	return nil
}

// write replaces the note that this journal saw last with the pending one. If another writer has replaced the note since, write
// replaces that one too, unless it names a later entry. An adoption replaces even that. If the other note names the same entry
// with other bytes, the error is [ErrCorrupt]. If the write fails, the note stays pending until a later one takes its place.
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
	mine := n.pending
	if n.version = version; old.Serial >= mine.Serial && !adopted {
		n.pending = note{}
		return j.forked(old, mine)
	}
	return put()
}
