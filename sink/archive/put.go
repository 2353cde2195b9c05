package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
)

// maxPuts bounds the attempts at an object that changes under our hands. With a lease no other process changes it.
const maxPuts = 4

// Why an object that is there already was left as it is, to be tested with errors.Is. The errors that carry them say
// what to do.
var (
	// ErrHasMore: the object has records that are not among those to be written.
	ErrHasMore = errors.New("the object has records that would be lost")
	// ErrForeign: the object is not one that this archive wrote.
	ErrForeign = errors.New("the object is not one of this archive's")
	// ErrContended: the object changed each time that it was about to be replaced.
	ErrContended = errors.New("the object is being changed by another process")
)

// put makes body the object. It creates it; where one is there already, it is what an attempt left that was never
// committed, and is replaced if that loses nothing. Each step is conditional on what the step before saw.
func (a *Archive) put(ctx context.Context, key string, body []byte) error {
	version := ""
	for range maxPuts {
		_, err := a.bucket.Put(ctx, key, body, version)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, fs.ErrNotExist) && version != "": // removed since: create it
			version = ""
			continue
		case !errors.Is(err, fs.ErrExist):
			return err
		}
		found, current, _, err := a.bucket.Get(ctx, key)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			version = ""
			continue
		case err != nil:
			return err
		case bytes.Equal(found, body): // the attempt before had the same records, or the answer to this Put was lost
			return nil
		}
		if err := a.losesNothing(found, body); err != nil {
			return fmt.Errorf("archive %s/%s: %w", a.bucket, key, err)
		}
		version = current
	}
	return fmt.Errorf("archive %s/%s: %w, %d times in a row; see that only one houndtrail writes to this archive",
		a.bucket, key, ErrContended, maxPuts)
}

// losesNothing tells whether the records of an object are all among those of the body that is to replace it.
func (a *Archive) losesNothing(object, body []byte) error {
	encoder := a.encoders.Take()
	defer a.encoders.Give(encoder)
	ids, err := encoder.IDs(object)
	if err != nil {
		return fmt.Errorf("%w, so it is not replaced; move it out of the archive and run again: %w", ErrForeign, err)
	}
	written, err := encoder.IDs(body)
	if err != nil {
		return fmt.Errorf("what is to replace it cannot be read back: %w", err)
	}
	ours := make(map[int64]struct{}, len(written))
	for _, id := range written {
		ours[id] = struct{}{}
	}
	missing, first := 0, int64(0)
	for _, id := range ids {
		if _, ok := ours[id]; ok {
			continue
		}
		if missing == 0 {
			first = id
		}
		missing++
	}
	if missing > 0 {
		return fmt.Errorf("%w: %d of its %d are not among the %d to be written (id %d, to begin with), because another "+
			"runner wrote it, or the server has purged them since; it is left as it is; to give it up, move it out of "+
			"the archive and run again", ErrHasMore, missing, len(ids), len(written), first)
	}
	return nil
}
