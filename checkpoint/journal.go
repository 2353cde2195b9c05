package checkpoint

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/checkpoint/seal"
	"github.com/houndtrail/houndtrail/checkpoint/tiles"
)

// DefaultLeaseTTL is how long a lease outlives its last renewal, unless [LeaseTTL] says otherwise.
const DefaultLeaseTTL = time.Minute

// Journal is the position of one stream in a bucket. Every call asks the store, so any number of journals may be open on
// the same stream. It is safe for concurrent use.
type Journal struct {
	bucket    bucket.Bucket
	id        Identity
	leaseTTL  time.Duration
	scattered bool
	commits   bool                 // and not only reads
	keys      []ed25519.PrivateKey // that sign what it commits

	warn  func(error)
	past  Memory // nil for none
	tiles *tiles.Writer
	notes notebook
	tip   atomic.Pointer[Stored] // the newest entry, as this process verified or wrote it last
	seen  atomic.Uint64          // the newest serial, as this process saw it last: what the lease says of it
	keyed atomic.Pointer[Stored] // the newest entry with a list of keys that this process relies on

	succeeded atomic.Pointer[time.Time] // when this process saw to it that no failure stands
}

// Option adjusts a [Journal].
type Option func(*Journal)

// LeaseTTL sets how long a lease outlives its last renewal, if the store has no lock that dies with the process. The holder
// renews it three times in that time. A crashed runner keeps others away for about that long.
func LeaseTTL(ttl time.Duration) Option {
	return func(j *Journal) { j.leaseTTL = ttl }
}

// Warn sets a function that is told of a harmless failure: the note of the newest entry, or a tile, could not be written.
func Warn(tell func(error)) Option {
	return func(j *Journal) { j.warn = tell }
}

// AnyOrder lets windows come in any order. Each entry accounts only for its own window, and Covered has the time of all
// windows so far. Without this option, Commit refuses a cursor that goes back.
func AnyOrder() Option {
	return func(j *Journal) { j.scattered = true }
}

// A Memory remembers heads of journals at another place. Package anchor is one. If the place does not answer, neither call is an
// error: the Memory tells of that itself.
type Memory interface {
	// Compare holds a journal's newest head, and the head that it had at an earlier size, against what is remembered. An error
	// that is [ErrRolledBack] or [ErrForked] says that they differ.
	Compare(ctx context.Context, newest seal.Head, at HeadAt) error
	// Begin returns [ErrRolledBack] if a head is remembered of a journal of that name, which has no entry now.
	Begin(ctx context.Context, tenant, stream string) error
}

// HeadAt is the head that a journal had when it was of that size. known is false if the journal does not tell it any more, or
// not yet.
type HeadAt func(ctx context.Context, size uint64) (h seal.Head, known bool, err error)

// Remembered has each Load hold the journal against the heads that are remembered of it.
func Remembered(m Memory) Option {
	return func(j *Journal) { j.past = m }
}

// Open returns the journal of a stream. It does not touch the store.
func Open(b bucket.Bucket, id Identity, options ...Option) *Journal {
	j := &Journal{bucket: b, id: id, leaseTTL: DefaultLeaseTTL}
	j.tiles = &tiles.Writer{Bucket: b, Prefix: j.path(""), Entry: j.Key, Never: func(err error) {
		if j.warn != nil {
			j.warn(fmt.Errorf("%w: no run needs a tile, and houndtrail verify reads the entries instead", err))
		}
	}}
	for _, option := range options {
		option(j)
	}
	return j
}

// Load returns the newest entry, verified against the previous one. If the journal was pruned up to the newest entry, there is
// no previous entry to verify it against.
//
// [ErrNotFound] says that the stream has no entry yet; [ErrForeign] that the newest one is of another identity; [ErrCorrupt]
// that it, or the previous one, is unreadable, missing, or breaks the chain, or that the journal is lost, since the note or the
// lease says that it had entries, or is not the one that is remembered elsewhere; [ErrNewer] that one of the two needs a newer
// program; [ErrSignature] that the newest one is signed, and not by this run's keys. A person has to resolve the last four.
//
// If the note is behind the newest entry, a journal that commits writes it anew.
func (j *Journal) Load(ctx context.Context) (Stored, error) {
	s, err := j.load(ctx)
	if err == nil {
		err = j.belongs(s)
	}
	if err != nil {
		return Stored{}, err
	}
	return s, nil
}

// load is Load, whatever the journal's identity is. A journal that is not the one that is remembered elsewhere is not loaded.
func (j *Journal) load(ctx context.Context) (Stored, error) {
	s, err := j.loadTip(ctx)
	if j.past == nil {
		return s, err
	}
	if errors.Is(err, ErrNotFound) {
		lost := j.past.Begin(ctx, j.id.Tenant, j.id.Stream)
		if lost == nil {
			return s, err
		}
		if s, err = j.loadTip(ctx); errors.Is(err, ErrNotFound) { // else another runner has just begun the journal
			return Stored{}, lost
		}
	}
	if err == nil {
		err = j.compared(ctx, s)
	}
	if err != nil {
		return Stored{}, err
	}
	return s, nil
}

// compared holds the newest entry against the heads that are remembered elsewhere.
func (j *Journal) compared(ctx context.Context, s Stored) error {
	newest, err := s.ownHead()
	if err == nil && j.past != nil {
		err = j.past.Compare(ctx, newest, j.headAt)
	}
	return err
}

// headAt is a [HeadAt]. The entry after that size has the head in its seal. If there is none, the newest entry itself tells it.
func (j *Journal) headAt(ctx context.Context, size uint64) (h seal.Head, known bool, err error) {
	next, err := j.entry(ctx, size+1)
	if err == nil {
		said, err := seal.ReadHead(next.Seal.Head)
		if err != nil {
			return h, false, j.corrupt(j.Key(size+1), err)
		}
		return said.Head, true, nil
	}
	if !errors.Is(err, ErrMissing) {
		return h, false, err
	}
	s, err := j.entry(ctx, size)
	if errors.Is(err, ErrMissing) {
		return h, false, nil
	}
	if err == nil {
		h, err = s.ownHead()
	}
	return h, err == nil, err
}

// loadTip does not verify an entry again that this process knows, if the entry is still there, unchanged, and the newest.
func (j *Journal) loadTip(ctx context.Context) (Stored, error) {
	if tip := j.tip.Load(); tip != nil {
		if listed, err := j.list(ctx, tip.Serial); err == nil && slices.Equal(listed, []uint64{tip.Serial}) {
			if s, err := j.entry(ctx, tip.Serial); err == nil && s.SHA256 == tip.SHA256 {
				return *tip, nil
			}
		}
	}
	s, err := j.loadAnew(ctx)
	if err == nil {
		j.tip.Store(&s)
	}
	return s, err
}

// loadAnew is loadTip without the entry that this process remembers.
func (j *Journal) loadAnew(ctx context.Context) (Stored, error) {
	s, noted, err := j.verified(ctx, j.authentic)
	if err != nil {
		return Stored{}, err
	}
	return j.headed(ctx, s, noted)
}

// loadAccepting loads a journal whose keys are lost. The newest entry has to be signed by the keys that the journal itself names. No head
// is signed and nothing noted: the entry that accepts this run's keys comes first.
func (j *Journal) loadAccepting(ctx context.Context) (Stored, error) {
	s, _, err := j.verified(ctx, j.coherent)
	if err == nil {
		err = j.compared(ctx, s)
	}
	if err == nil {
		err = j.belongs(s)
	}
	return s, err
}

// verified reads the newest entry and verifies all that this run knows of it. authentic opens its signatures.
func (j *Journal) verified(ctx context.Context, authentic func(context.Context, Stored, *seal.Entry) error) (Stored, note, error) {
	newest, noted, err := j.newest(ctx)
	if err != nil {
		return Stored{}, noted, err
	}
	if newest == 0 {
		return Stored{}, noted, fmt.Errorf("%w: stream %s has no entry in %s", ErrNotFound, j.id.Stream, j.bucket)
	}
	s, sealed, err := j.sealedEntry(ctx, newest)
	if err != nil {
		return Stored{}, noted, err
	}
	before, err := j.before(ctx, s)
	if err == nil {
		err = j.verify(before, s, noted)
	}
	if err == nil {
		err = j.consistent(ctx, noted, s)
	}
	if err == nil {
		err = authentic(ctx, s, sealed)
	}
	if err != nil {
		return Stored{}, noted, err
	}
	return s, noted, nil
}

// headed fills in the head of the newest entry. If the last holder died before it noted the entry, a journal that commits does so
// now, and writes the tiles that are missing.
func (j *Journal) headed(ctx context.Context, s Stored, noted note) (Stored, error) {
	current := noted.Serial == s.Serial && noted.Head != ""
	if !j.commits && current { // only the keys that signed this head can
		s.Head = noted.Head
		return s, nil
	}
	err := j.signHead(&s)
	if err == nil && j.commits && !current && j.tiled(j.tiles.Repair(ctx, noted.Serial, s.Serial)) {
		err = j.writeLatestHint(ctx, note{Serial: s.Serial, SHA256: s.SHA256, Head: s.Head}, false)
	}
	j.tiles.Passed(s.Serial, s.Leaf)
	return s, err
}

// before reads the entry previous to s. It is the zero value if there is none: s is the first, or the journal was pruned up to
// s. An adoption needs only the bytes of the previous entry.
func (j *Journal) before(ctx context.Context, s Stored) (Stored, error) {
	if s.Serial == 1 {
		return Stored{}, nil
	}
	before, err := j.entry(ctx, s.Serial-1)
	switch {
	case err != nil && before.SHA256 != "" && s.Kind == KindAdopt:
		return before, nil
	case errors.Is(err, ErrMissing):
		first, firstErr := j.first(ctx, s.Serial)
		if firstErr != nil {
			return Stored{}, firstErr
		}
		if first == s.Serial {
			return Stored{}, nil
		}
	}
	return before, err
}

// Tip returns the newest entry that is there, for an adoption to follow. It has the serial and the SHA-256, and the rest if
// that can be read and bears the right signature. It is the zero value if there is no entry. Of the errors about a journal's
// state it returns only [ErrNewer], since a newer version has to read that journal, and [ErrSignature] if this run has no key.
func (j *Journal) Tip(ctx context.Context) (Stored, error) {
	h, err := j.head(ctx)
	if err != nil || h.newest == 0 {
		return Stored{}, err
	}
	s, sealed, err := j.sealedEntry(ctx, h.newest)
	if err == nil {
		err = j.authentic(ctx, s, sealed)
	}
	forged := errors.Is(err, ErrSignature) && !errors.Is(err, ErrKeys) && len(j.keys) > 0 // a key that was ended begins nothing anew
	if s.SHA256 != "" && (forged || errors.Is(err, ErrCorrupt) || errors.Is(err, ErrForeign)) {
		return Stored{Checkpoint: Checkpoint{Serial: s.Serial}, SHA256: s.SHA256}, nil
	}
	return s, err
}
