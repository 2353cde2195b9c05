package checkpoint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// Failure is how the last run of a stream ended that did not succeed. It only informs, as the lease's holder does: nothing
// may be decided by it. It must not hold secrets.
type Failure struct {
	State  string    `json:"state"`  // in a word of the caller's
	Stage  string    `json:"stage"`  // the part of the cycle that failed
	Reason string    `json:"reason"` // the error as it was printed
	At     time.Time `json:"at"`     // by that machine's clock
	Serial uint64    `json:"serial"` // the newest entry then; 0 for none
}

// Fail notes how a run ended, in the object <stream>/state/failure.json. If the journal
// belongs to another identity or is damaged, Fail notes nothing: every reader of such a journal gets that error anyway.
func (j *Journal) Fail(ctx context.Context, f Failure) error {
	newest, err := j.Load(ctx)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	_, version, err := j.failure(ctx)
	if err != nil {
		return err
	}
	f.Serial = newest.Serial
	return j.noteFailure(ctx, f, version)
}

// Succeed says that no failure stands any more. It writes only if one stood.
func (j *Journal) Succeed(ctx context.Context) error {
	f, version, err := j.failure(ctx)
	if err != nil || f == (Failure{}) {
		return err
	}
	return j.noteFailure(ctx, Failure{}, version)
}

// Failure is how the last run ended, if it failed and no run has committed since. A newer entry of any runner outdates it.
// newest is the serial of the newest entry.
func (j *Journal) Failure(ctx context.Context, newest uint64) (f Failure, ok bool, err error) {
	f, _, err = j.failure(ctx)
	if err != nil || f == (Failure{}) || f.Serial != newest {
		return Failure{}, false, err
	}
	return f, true, nil
}

// failure reads the object. One that is not there, or makes no sense, is no failure.
func (j *Journal) failure(ctx context.Context) (f Failure, version string, err error) {
	body, version, _, err := j.bucket.Get(ctx, j.path(failureName))
	if errors.Is(err, fs.ErrNotExist) {
		return Failure{}, "", nil
	}
	if err != nil {
		return Failure{}, "", fmt.Errorf("read how the last run ended: %w", err)
	}
	if json.Unmarshal(body, &f) != nil {
		return Failure{}, version, nil //nolint:nilerr // as the comment says
	}
	return f, version, nil
}

func (j *Journal) noteFailure(ctx context.Context, f Failure, version string) error {
	body, err := marshal(f)
	if err != nil {
		return err
	}
	if _, err = j.bucket.Put(ctx, j.path(failureName), body, version); errors.Is(err, fs.ErrExist) {
		return nil // another run has ended since, and has said so
	}
	return err
}
