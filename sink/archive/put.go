package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
)

// maxPuts is how often put tries to write an object that another process changes at the same time. With a lease, no other
// process does that.
const maxPuts = 4

// The reasons for which put leaves an existing object as it is. Test for them with errors.Is. The errors that wrap them say
// what to do.
var (
	// ErrHasMore: the existing object has records that the new body does not have.
	ErrHasMore = errors.New("the object has records that would be lost")
	// ErrForeign: this archive did not write the existing object.
	ErrForeign = errors.New("the object is not one of this archive's")
	// ErrContended: the object changed each time before put could replace it.
	ErrContended = errors.New("the object is being changed by another process")
)

// put makes body the object. If the key has no object, put creates it. If it has one, an attempt that was never committed left
// it. put replaces that object if no record is lost. Each step is conditional on the version that the previous step saw.
func (a *Archive) put(ctx context.Context, key string, body []byte) error {
	version := ""
	for range maxPuts {
		_, err := a.bucket.Put(ctx, key, body, version)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, fs.ErrNotExist) && version != "": // another process has removed it: create it
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
		case bytes.Equal(found, body): // the previous attempt had the same records, or the answer to this Put was lost
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

// losesNothing returns an error if the object has a record that the new body does not have.
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
