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

// DefaultLeaseTTL is the time for which a lease outlives its last renewal, unless [LeaseTTL] sets another one.
const DefaultLeaseTTL = time.Minute

// Journal is the position of one stream in a bucket. Every call asks the store, so any number of journals may be open on the same
// stream. It is safe for concurrent use.
type Journal struct {
	bucket    bucket.Bucket
	id        Identity
	leaseTTL  time.Duration
	scattered bool
	commits   bool                 // and does not only read
	keys      []ed25519.PrivateKey // that sign the entries that it commits

	warn  func(error)
	past  Memory // nil for none
	tiles *tiles.Writer
	notes notebook
	tip   atomic.Pointer[Stored] // the newest entry that this process verified or wrote
	seen  atomic.Uint64          // the newest serial that this process saw: the lease tells it
	keyed atomic.Pointer[Stored] // the newest entry with a list of keys that this process relies on

	settings  Settings                  // of the runs
	succeeded atomic.Pointer[time.Time] // the newest sign of life that this process knows, beside which no failure is noted
}

// Option adjusts a [Journal].
type Option func(*Journal)

// LeaseTTL sets the time for which a lease outlives its last renewal, if the store has no lock that dies with the process. The
// holder renews it three times in that time. A crashed runner keeps others away for about that long.
func LeaseTTL(ttl time.Duration) Option {
	return func(j *Journal) { j.leaseTTL = ttl }
}

// Warn sets a function that learns of a harmless failure: Houndtrail could not write the note of the newest entry, or a tile.
func Warn(tell func(error)) Option {
	return func(j *Journal) { j.warn = tell }
}

// AnyOrder lets windows come in any order. Each entry accounts only for its own window, and Covered has the time of all windows so
// far. Without this option, Commit refuses a cursor that goes back.
func AnyOrder() Option {
	return func(j *Journal) { j.scattered = true }
}

// A Memory remembers heads of journals at another place. Package anchor has one. If the place does not answer, neither call
// returns an error: the Memory reports that itself.
type Memory interface {
	// Compare compares two heads of a journal with the remembered ones: its newest head, and its head at an earlier size. If they
	// differ, the error is [ErrRolledBack] or [ErrForked].
	Compare(ctx context.Context, newest seal.Head, at HeadAt) error
	// Begin returns [ErrRolledBack] if a head is remembered for a journal of that name. The caller has found no entry in that
	// journal.
	Begin(ctx context.Context, tenant, stream string) error
}

// HeadAt is the head that a journal had at that size. If known is false, the journal does not tell it any more, or not yet.
type HeadAt func(ctx context.Context, size uint64) (h seal.Head, known bool, err error)

// Remembered makes each Load compare the journal with the heads that are remembered of it.
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

// Load returns the newest entry, verified against the previous one. If the journal was pruned up to the newest entry, there is no
// previous entry for that.
//
// A person has to resolve each of these errors, except for the first one:
//
//   - [ErrNotFound]: the stream has no entry yet.
//   - [ErrForeign]: the newest entry has another identity.
//   - [ErrCorrupt]: the newest entry or the previous one is unreadable, missing, or breaks the chain. Or the note or the lease
//     names entries, and they are lost. Or the journal differs from the one that is remembered elsewhere.
//   - [ErrNewer]: one of the two entries needs a newer program.
//   - [ErrSignature]: the newest entry is signed, but no key of this run vouches for it.
//
// If the note is behind the newest entry, a journal that commits writes the note anew.
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

// load is Load for any identity. It does not load a journal that differs from the one that is remembered elsewhere.
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
		if s, err = j.loadTip(ctx); errors.Is(err, ErrNotFound) { // otherwise another runner has just begun the journal
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

// compared compares the newest entry with the heads that are remembered elsewhere.
func (j *Journal) compared(ctx context.Context, s Stored) error {
	newest, err := s.ownHead()
	if err == nil && j.past != nil {
		err = j.past.Compare(ctx, newest, j.headAt)
	}
	return err
}

// headAt is a [HeadAt]. The entry after that size has the head in its seal. If that entry does not exist, the newest entry itself
// tells the head.
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

// loadTip does not verify an entry again that this process knows, if that entry still exists, unchanged, and is the newest.
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

// loadAccepting loads a journal whose keys are lost. The newest entry has to be signed by the keys that the journal itself names.
// loadAccepting signs no head and notes no entry: the entry that accepts this run's keys comes first.
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

// verified reads the newest entry and verifies everything that this run can verify. The function authentic opens its signatures.
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

// headed fills in the head of the newest entry. If the last holder died before it noted the entry, a journal that commits notes it
// now. It also writes the tiles that are missing.
func (j *Journal) headed(ctx context.Context, s Stored, noted note) (Stored, error) {
	current := noted.Serial == s.Serial && noted.Head != ""
	if !j.commits && current { // only the keys that signed this head can sign it
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

// before reads the entry previous to s. If there is none, it is the zero value: s is the first entry, or the journal was pruned up
// to s. For an adoption, the bytes of the previous entry are enough.
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

// Tip returns the newest entry that exists, for an adoption to follow. It has the serial and the SHA-256. It has the rest if the
// entry can be read and bears the right signature. If there is no entry, it is the zero value. Tip returns only two errors about a
// journal's state: [ErrNewer], since a newer version has to read that journal, and [ErrSignature] if this run has no key.
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
