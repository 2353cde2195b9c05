package checkpoint

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
)

// probe tries whether the store refuses the two writes that a journal needs it to refuse: to create an object that is there
// already, and to replace a version that is not there any more. Some gateways ignore either condition and answer with success.
//
// Every body is different, so that no version comes back. Another runner may probe at the same moment. A refusal because of
// that runner's write proves the same.
func (j *Journal) probe(ctx context.Context) error {
	key := j.path(probeName)
	put := func(version string) (string, error) {
		body := fmt.Sprintf(`{"about":"houndtrail tries here whether the store obeys conditional writes","token":%q}`+"\n", rand.Text())
		return j.bucket.Put(ctx, key, []byte(body), version)
	}
	refused := func(tried, header string, err error) error {
		switch {
		case err == nil:
			return fmt.Errorf("%w: the store %s ignores conditional writes: %s %s should have been refused (%s), so that two "+
				"runners could both commit one serial: use another store, or a gateway setting that makes it obey them",
				ErrUnconditional, j.bucket, tried, j.at(key), header)
		case errors.Is(err, fs.ErrExist):
			return nil
		default:
			return fmt.Errorf("try whether the store obeys conditional writes: %w", err)
		}
	}
	version, err := put("")
	created := err == nil
	if created {
		_, err = put("")
	}
	if err := refused("creating a second time", "If-None-Match", err); err != nil {
		return err
	}
	if !created {
		if _, version, _, err = j.bucket.Get(ctx, key); err != nil {
			return fmt.Errorf("try whether the store obeys conditional writes: %w", err)
		}
	}
	if _, err = put(version); err == nil {
		_, err = put(version) // this version is not there any more
	}
	return refused("replacing an old version of", "If-Match", err)
}
