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
	_, version, err := s.read(ctx)
	if err != nil {
		return err
	}
	return s.swap(ctx, value, version)
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
	return s.put(ctx, value, version)
}

// put replaces that version of the object.
func (s State[T]) put(ctx context.Context, value T, version string) error {
	body, err := marshal(value)
	if err != nil {
		return err
	}
	_, err = s.bucket.Put(ctx, s.key, body, version)
	return err
}

// swap is put, but if another run has written the object in the meantime, the value of that run stands.
func (s State[T]) swap(ctx context.Context, value T, version string) error {
	if err := s.put(ctx, value, version); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// askAgain is how long a process relies on its last look at the object about the runs, if that look found no failure. It is also the
// time after which a run leaves its next sign of life there.
const askAgain = time.Hour

// Run is the object <stream>/state/run.json. In it, the runs of a stream leave a sign of life, their settings, and the failure of the
// last run. Like the name of the lease's holder, it only informs: no run may decide anything by it. It must not hold secrets.
type Run struct {
	// SucceededAt is a time at which a run succeeded, by the clock of the machine that ran it. A stream that works leaves a newer one
	// every hour: a run that finds nothing new writes nothing else.
	SucceededAt time.Time `json:"succeeded_at,omitzero"`
	Settings    Settings  `json:"settings,omitzero"` // of the last run that wrote the object
	Failure     Failure   `json:"failure,omitzero"`  // zero if the last run did not fail
}

// Settings are the settings of a run that a reader needs to judge its stream: when it is late, and how long the source keeps its
// records. They are in the form of the configuration. An empty one is not known.
type Settings struct {
	Tenant          string `json:"tenant,omitempty"`
	Version         string `json:"version,omitempty"` // of houndtrail
	Schedule        string `json:"schedule,omitempty"`
	Settle          string `json:"settle,omitempty"` // a Go duration
	Retention       string `json:"retention,omitempty"`
	VerifySchedule  string `json:"verify_schedule,omitempty"`
	CompactSchedule string `json:"compact_schedule,omitempty"`
}

// Runs sets the settings that runs leave beside the journal.
func Runs(s Settings) Option {
	return func(j *Journal) { j.settings = s }
}

// Failure tells how the last run of a stream ended, if it did not succeed.
type Failure struct {
	State  string    `json:"state"`           // a word of the caller
	Stage  string    `json:"stage"`           // the part of the cycle that failed
	Reason string    `json:"reason"`          // the error as Houndtrail printed it
	Code   int       `json:"code,omitempty"`  // the exit code for it
	At     time.Time `json:"at"`              // by the clock of the machine that ran it
	Since  time.Time `json:"since,omitzero"`  // At of the first of the failed runs in a row; Fail fills it in
	Tries  int       `json:"tries,omitempty"` // the number of failed runs in a row; Fail fills it in
	Serial uint64    `json:"serial"`          // the newest entry at that time; 0 for none
}

// current tells that no run has moved the position since the failure. A newer entry of any runner outdates it, but a compaction, a
// removal or a list of keys does not: the run's work is still not done.
func (f Failure) current(newest *Checkpoint) bool {
	return f.State != "" && f.Serial >= newest.Progress().Serial && f.Serial <= newest.Serial
}

// Fail notes how a run ended. If the journal belongs to another identity or is damaged, Fail notes nothing: every reader of such a
// journal gets that error itself.
func (j *Journal) Fail(ctx context.Context, f Failure) error {
	newest, err := j.Load(ctx)
	if errors.Is(err, ErrSignature) || errors.Is(err, ErrRolledBack) || errors.Is(err, ErrForked) {
		newest, err = Open(j.bucket, j.id).Load(ctx) // a reader opens no signature and may know no anchor, and so learns of it only here
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	j.succeeded.Store(nil)
	noted, version, err := j.lastRuns().read(ctx)
	if err != nil {
		return fmt.Errorf("read how the last run ended: %w", err)
	}
	f.Serial, f.Since, f.Tries = newest.Serial, f.At, 1
	if last := noted.Failure; last.current(&newest.Checkpoint) {
		f.Since, f.Tries = last.Since, last.Tries+1
	}
	noted.Failure, noted.Settings = f, j.settings
	return j.lastRuns().swap(ctx, noted, version)
}

// Succeed leaves a sign of life at the time now, and clears the failure of an earlier run. It asks only once an hour whether another
// runner has left a failure. It writes only if there was a failure, if the settings have changed, or if the last sign of life is an
// hour old.
func (j *Journal) Succeed(ctx context.Context, now time.Time) error {
	if at := j.succeeded.Load(); at != nil && now.Sub(*at).Abs() < askAgain {
		return nil
	}
	noted, version, err := j.lastRuns().read(ctx)
	if err != nil {
		return fmt.Errorf("read how the last run ended: %w", err)
	}
	relied := noted.SucceededAt
	if noted.Failure != (Failure{}) || noted.Settings != j.settings || now.Sub(relied).Abs() >= askAgain {
		relied = now
		if err := j.lastRuns().swap(ctx, Run{SucceededAt: now, Settings: j.settings}, version); err != nil {
			return err
		}
	}
	j.succeeded.Store(&relied)
	return nil
}

// Failure tells how the last run ended, if it failed and no run has moved the position since.
func (j *Journal) Failure(ctx context.Context, newest *Checkpoint) (f Failure, ok bool, err error) {
	_, f, ok, err = j.LastRun(ctx, newest)
	return f, ok, err
}

// LastRun reads the whole object about the runs. The failure is the one that [Journal.Failure] tells.
func (j *Journal) LastRun(ctx context.Context, newest *Checkpoint) (r Run, f Failure, failed bool, err error) {
	r, err = j.lastRuns().Read(ctx)
	if err != nil {
		return r, f, false, fmt.Errorf("read how the last run ended: %w", err)
	}
	if r.Failure.current(newest) {
		return r, r.Failure, true, nil
	}
	return r, f, false, nil
}

func (j *Journal) lastRuns() State[Run] { return OpenState[Run](j.bucket, j.id.Stream, "run") }

// deliveredFolder holds the snapshots of sets of delivered ids, each by its SHA-256.
const deliveredFolder = "delivered/"

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
