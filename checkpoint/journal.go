package checkpoint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// DefaultLeaseTTL is how long a lease outlives its last renewal, unless [LeaseTTL] says otherwise.
const DefaultLeaseTTL = time.Minute

// Identity binds a journal to one stream of one source and one destination. The three are stored in every entry and
// appear in errors, so they must not contain credentials.
type Identity struct {
	Stream      string // the journal's folder in the bucket: "archive", "webhook"
	Source      string // https://tenant.example
	Destination string // s3://bucket/prefix
	Writer      Writer // who commits and who holds the lease; not compared with what is stored
}

// Journal is the position of one stream in a bucket. It keeps no state of its own: every call asks the store, so any
// number of journals may be open on the same stream. It is safe for concurrent use.
type Journal struct {
	bucket    Bucket
	id        Identity
	leaseTTL  time.Duration
	scattered bool
}

// Option adjusts a [Journal].
type Option func(*Journal)

// LeaseTTL sets how long a lease outlives its last renewal where the store has no lock that dies with the process.
// It is renewed three times in that time. A crashed runner keeps others away for about that long.
func LeaseTTL(ttl time.Duration) Option {
	return func(j *Journal) { j.leaseTTL = ttl }
}

// Scattered lets windows come in any order: each entry accounts for its own window, and its cursor for nothing else.
// Without it a cursor that goes back is refused.
func Scattered() Option {
	return func(j *Journal) { j.scattered = true }
}

// Open returns the journal of a stream. It does not touch the store.
func Open(b Bucket, id Identity, options ...Option) *Journal {
	j := &Journal{bucket: b, id: id, leaseTTL: DefaultLeaseTTL}
	for _, option := range options {
		option(j)
	}
	return j
}

// Load returns the newest entry, verified against the entry before it.
//
// [ErrNotFound] says that the stream has no entry yet; [ErrForeign] that the entry is of another stream, source or
// destination; [ErrCorrupt] that it, or the one before it, is unreadable, missing, of an unknown format or breaks the
// chain. The two latter are for a person to resolve: nothing here starts again from nothing.
func (j *Journal) Load(ctx context.Context) (Stored, error) {
	newest, noted, err := j.newest(ctx)
	if err != nil {
		return Stored{}, err
	}
	if newest == 0 {
		return Stored{}, fmt.Errorf("%w: stream %s has no entry in %s", ErrNotFound, j.id.Stream, j.bucket)
	}
	var before Stored
	if newest > 1 {
		if before, err = j.entry(ctx, newest-1); err != nil {
			return Stored{}, err
		}
	}
	return j.next(ctx, before, noted)
}

// next reads the entry that follows before and verifies that it does.
func (j *Journal) next(ctx context.Context, before Stored, noted note) (Stored, error) {
	s, err := j.entry(ctx, before.Serial+1)
	if err == nil {
		err = j.verify(before, s, noted)
	}
	if err != nil {
		return Stored{}, err
	}
	return s, nil
}

// verify holds an entry against the one before it and against the note.
func (j *Journal) verify(before, s Stored, noted note) error {
	if err := j.follows(before, s); err != nil {
		return err
	}
	return j.agrees(noted, s)
}

// entry reads one entry and verifies everything that it says about itself.
func (j *Journal) entry(ctx context.Context, serial uint64) (Stored, error) {
	key := j.key(serial)
	body, _, _, err := j.bucket.Get(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		return Stored{}, j.corrupt(key, errors.New("it is missing, although a later entry was committed"))
	}
	if err != nil {
		return Stored{}, fmt.Errorf("read the checkpoint: %w", err)
	}
	s, err := decode(body)
	if err != nil {
		return Stored{}, j.corrupt(key, err)
	}
	if err := j.belongs(key, s); err != nil {
		return Stored{}, err
	}
	if s.Serial != serial {
		return Stored{}, j.corrupt(key, fmt.Errorf("it says that it is entry %d", s.Serial))
	}
	return s, nil
}

// newest finds the highest serial, 0 in an empty stream.
//
// The note only says where to begin listing, so a missing, unreadable or old one costs time and nothing else. It is
// written after its entry, however: a note of an entry that is not there means that entries were lost, and starting
// again from an older position would send the same records twice.
func (j *Journal) newest(ctx context.Context) (uint64, note, error) {
	noted, _, err := j.note(ctx)
	if err != nil {
		return 0, note{}, err
	}
	var after string
	if noted.Serial > 0 {
		after = j.key(noted.Serial - 1)
	}
	keys, err := j.bucket.List(ctx, j.path(""), after)
	if err != nil {
		return 0, note{}, fmt.Errorf("list the checkpoints: %w", err)
	}
	var newest uint64
	found := noted.Serial == 0
	for _, key := range keys {
		if serial, ok := j.serial(key); ok {
			newest = max(newest, serial)
			found = found || serial == noted.Serial
		}
	}
	if !found {
		return 0, note{}, j.lost(noted)
	}
	return newest, noted, nil
}

// A note is the object <stream>/latest: the entry that its writer committed last.
type note struct {
	Serial uint64 `json:"serial"`
	SHA256 string `json:"sha256"` // the only witness of the newest entry's bytes, which no later entry chains to yet
}

// note reads the note; one that is missing or makes no sense is the zero note, and the version is there to replace it.
// A store that fails to answer is an error all the same, since without the note a loss goes unseen.
func (j *Journal) note(ctx context.Context) (n note, version string, err error) {
	key := j.path("latest")
	body, version, _, err := j.bucket.Get(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		return note{}, "", nil
	}
	if err != nil {
		return note{}, "", fmt.Errorf("read which checkpoint is the newest: %w", err)
	}
	if err := json.Unmarshal(body, &n); err != nil {
		return note{}, version, nil //nolint:nilerr // a damaged note is no note
	}
	return n, version, nil
}
