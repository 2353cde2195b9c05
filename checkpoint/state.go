package checkpoint

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"strings"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
)

const (
	stateFolder = "state/"
	leaseName   = stateFolder + "lease.json"
	lockName    = stateFolder + "lease.lock"
	latestName  = stateFolder + "latest"
	probeName   = stateFolder + "probe"
)

// Rewritten tells whether an object is one that a journal rewrites, and not an entry or a snapshot, which are kept. All such
// objects lie under <stream>/state/, so that a lifecycle rule can clear their old versions.
func Rewritten(key string) bool {
	_, name, ok := strings.Cut(key, "/")
	return ok && strings.HasPrefix(name, stateFolder)
}

// A State is a small object <stream>/state/<name>.json, in which a run leaves something for the next one or for people. No code
// may depend on it: an object that is missing or makes no sense reads as the zero value.
type State[T any] struct {
	bucket bucket.Bucket
	key    string
}

// OpenState is the state of that name of a stream. It does not touch the store.
func OpenState[T any](b bucket.Bucket, stream, name string) State[T] {
	return State[T]{b, stream + "/" + stateFolder + name + ".json"}
}

// Read reads the object.
func (s State[T]) Read(ctx context.Context) (T, error) {
	value, _, err := s.read(ctx)
	return value, err
}

// Write writes the object, over any previous content. If another run writes it at the same time, one of the two writes stands.
func (s State[T]) Write(ctx context.Context, value T) error {
	_, version, err := s.read(ctx)
	if err != nil {
		return err
	}
	body, err := marshal(value)
	if err != nil {
		return err
	}
	if _, err = s.bucket.Put(ctx, s.key, body, version); errors.Is(err, fs.ErrExist) {
		return nil // another run has written it meanwhile, and its value is newer
	}
	return err
}

// read reads the object, and its version to replace it.
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
