package checkpoint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
)

const (
	stateFolder = "state/"
	leaseName   = stateFolder + "lease.json"
	lockName    = stateFolder + "lease.lock"
	latestName  = stateFolder + "latest"
	probeName   = stateFolder + "probe"
)

// Rewritten tells whether a journal rewrites an object. It does not rewrite an entry, a snapshot or a tile. All rewritten objects
// lie under <stream>/state/, so that a lifecycle rule can clear their old versions.
func Rewritten(key string) bool {
	_, name, ok := strings.Cut(key, "/")
	return ok && strings.HasPrefix(name, stateFolder)
}

// A State is a small object <stream>/state/<name>.json. In it, a run leaves information for the next run or for people. No code
// may depend on it: an object that is missing or makes no sense reads as the zero value.
type State[T any] struct {
	bucket bucket.Bucket
	key    string
}

// OpenState returns the state of that name of a stream. It does not touch the store.
func OpenState[T any](b bucket.Bucket, stream, name string) State[T] {
	return State[T]{b, StateKey(stream, name)}
}

// StateKey is the key of the state of that name of a stream.
func StateKey(stream, name string) string { return stream + "/" + stateFolder + name + ".json" }

// Read reads the object.
func (s State[T]) Read(ctx context.Context) (T, error) {
	value, _, err := s.read(ctx)
	return value, err
}

// Write replaces any previous content of the object. If another run writes it at the same time, one of the two writes stands.
func (s State[T]) Write(ctx context.Context, value T) error {
	if err := s.Replace(ctx, value); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil // another run has written it meanwhile, and its value is newer
}

// read reads the object and its version. Replace needs the version.
func (s State[T]) read(ctx context.Context) (value T, version string, err error) {
	body, version, _, err := s.bucket.Get(ctx, s.key)
	if errors.Is(err, fs.ErrNotExist) {
		return value, "", nil
	}
	if err != nil {
		return value, "", err
	}
	if json.Unmarshal(body, &value) != nil {
		var none T
		return none, version, nil //nolint:nilerr // as the type's comment says
	}
	return value, version, nil
}

// Replace is [State.Write] for a state that must not be lost. If another run has written the object in the meantime, Replace
// returns an error.
func (s State[T]) Replace(ctx context.Context, value T) error {
	_, version, err := s.read(ctx)
	if err != nil {
		return err
	}
	body, err := marshal(value)
	if err != nil {
		return err
	}
	_, err = s.bucket.Put(ctx, s.key, body, version)
	return err
}

// askAgain is how long a process relies on its last look, if that look found no failure in the store.
const askAgain = time.Hour

// Failure tells how the last run of a stream ended, if it did not succeed. Like the name of the lease's holder, it only informs:
// no run may decide anything by it. It must not hold secrets.
type Failure struct {
	State  string    `json:"state"`  // a word of the caller
	Stage  string    `json:"stage"`  // the part of the cycle that failed
	Reason string    `json:"reason"` // the error as Houndtrail printed it
	At     time.Time `json:"at"`     // by the clock of the machine that ran it
	Serial uint64    `json:"serial"` // the newest entry at that time; 0 for none
}

// Fail notes how a run ended, in the object <stream>/state/failure.json. If the journal belongs to another identity or is damaged,
// Fail notes nothing: every reader of such a journal gets that error itself.
func (j *Journal) Fail(ctx context.Context, f Failure) error {
	newest, err := j.Load(ctx)
	if errors.Is(err, ErrSignature) || errors.Is(err, ErrRolledBack) || errors.Is(err, ErrForked) {
		newest, err = Open(j.bucket, j.id).Load(ctx) // a reader opens no signature and may know no anchor, and so learns of it only here
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	f.Serial = newest.Serial
	j.succeeded.Store(nil)
	return j.failures().Write(ctx, f)
}

// Succeed clears the failure of an earlier run. It writes only if there was a failure. It asks only once an hour whether another
// runner has left one.
func (j *Journal) Succeed(ctx context.Context) error {
	if at := j.succeeded.Load(); at != nil && time.Since(*at) < askAgain {
		return nil
	}
	f, err := j.failure(ctx)
	if err == nil && f != (Failure{}) {
		err = j.failures().Write(ctx, Failure{})
	}
	if err == nil {
		now := time.Now()
		j.succeeded.Store(&now)
	}
	return err
}

// Failure tells how the last run ended, if it failed and no run has moved the position since. A newer entry of any runner outdates
// it, but a compaction, a removal or a list of keys does not: the run's work is still not done.
func (j *Journal) Failure(ctx context.Context, newest *Checkpoint) (f Failure, ok bool, err error) {
	f, err = j.failure(ctx)
	if err != nil || f == (Failure{}) || f.Serial < newest.Progress().Serial || f.Serial > newest.Serial {
		return Failure{}, false, err
	}
	return f, true, nil
}

func (j *Journal) failure(ctx context.Context) (Failure, error) {
	f, err := j.failures().Read(ctx)
	if err != nil {
		return Failure{}, fmt.Errorf("read how the last run ended: %w", err)
	}
	return f, nil
}

func (j *Journal) failures() State[Failure] {
	return OpenState[Failure](j.bucket, j.id.Stream, "failure")
}

// deliveredFolder holds the snapshots of sets of delivered ids, each by its SHA-256.
const deliveredFolder = "delivered/"

// A Base names the earlier set of delivered ids on which an entry's own set builds.
type Base struct {
	// Serial is the entry that has the set whole. The changes of the entries after it, in order, make this entry's set.
	Serial uint64 `json:"serial"`
	// SHA256 names the snapshot of the set at that entry; "" if that entry itself has the set.
	SHA256 string `json:"sha256,omitempty"`
}

// base is the Base of an entry. An entry that has its set whole has one, too.
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

// Next is the Base of the entry after this one, if the Delivered of that entry has only the changes to the set.
func (c *Checkpoint) Next() *Base {
	base := c.base()
	return &base
}

// Unchanged returns the two fields for an entry after this one, if that entry does not change the set of delivered ids.
func (c *Checkpoint) Unchanged() (delivered []byte, base *Base) {
	if c.DeliveredBase == nil {
		return c.Delivered, nil
	}
	return nil, c.Next()
}

// Snapshot writes a set of delivered ids as an object of its own, and returns the Base of the entry after prev that has this set.
// A crash after the write leaves an object that no entry names.
func (j *Journal) Snapshot(ctx context.Context, prev Stored, set []byte) (*Base, error) {
	b := &Base{Serial: prev.Serial + 1, SHA256: digest(set)}
	_, err := j.bucket.Put(ctx, j.snapshot(b.SHA256), set, "")
	if errors.Is(err, fs.ErrExist) { // an attempt that was not committed has left it
		_, err = j.readSnapshot(ctx, b.SHA256)
	}
	if err != nil {
		return nil, fmt.Errorf("write down which records were delivered: %w", err)
	}
	return b, nil
}

// Delivered reads the set of delivered ids of an entry. It returns an earlier set, or nil if that was empty, and the changes
// since, oldest first. There are few changes. It verifies each entry that has one against the previous entry.
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
