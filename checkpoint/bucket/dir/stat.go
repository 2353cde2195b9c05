package dir

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
)

// Stat implements [bucket.Bucket]. A file system keeps no checksum of a whole file.
func (d *Bucket) Stat(ctx context.Context, key string) (bucket.Info, error) {
	path, err := d.path(ctx, key)
	if err != nil {
		return bucket.Info{}, err
	}
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		err = fs.ErrNotExist
	}
	if err != nil {
		return bucket.Info{}, explainFile("read", path, err)
	}
	return bucket.Info{Key: key, Bytes: info.Size()}, nil
}

// Hash implements [bucket.Bucket].
func (d *Bucket) Hash(ctx context.Context, key string) (bucket.Info, error) {
	path, err := d.path(ctx, key)
	if err != nil {
		return bucket.Info{}, err
	}
	sum, found := sha256.New(), bucket.Info{Key: key}
	_, err = openFile(path, func(r io.Reader) (err error) { found.Bytes, err = io.Copy(sum, r); return err })
	if err != nil {
		return bucket.Info{}, explainFile("read", path, err)
	}
	found.SHA256 = hex.EncodeToString(sum.Sum(nil))
	return found, nil
}

// errEnough ends a walk when the caller wants no more.
var errEnough = errors.New("enough")

// Walk implements [bucket.Bucket].
func (d *Bucket) Walk(ctx context.Context, prefix string) iter.Seq2[bucket.Info, error] {
	return func(yield func(bucket.Info, error) bool) {
		err := d.walk(ctx, prefix, func(key string, entry fs.DirEntry) error {
			info, err := entry.Info()
			if isMissing(err) {
				return nil // another process has just removed it
			}
			if err == nil && !yield(bucket.Info{Key: key, Bytes: info.Size()}, nil) {
				err = errEnough
			}
			return err
		})
		if err != nil && !errors.Is(err, errEnough) {
			yield(bucket.Info{}, err)
		}
	}
}
