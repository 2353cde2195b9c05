package verify

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
)

// An original is an earlier version of an object that has the hash that the journal names.
type original struct {
	bucket.Version
	body []byte
	top  bucket.Version // the version or marker that covers it
}

// original looks for the version of an object that has a hash. It is nil if there is none, or if the store does not tell versions.
func (r *run) original(ctx context.Context, b bucket.Reader, key, sha string) *original {
	if sha == "" {
		return nil
	}
	versions, top := r.versions(ctx, b, key)
	for _, v := range versions {
		if v.Newest || v.Marker {
			continue
		}
		if body, ok := r.versionBody(ctx, b, v); ok && digest(body) == sha {
			return &original{v, body, top}
		}
	}
	return nil
}

// versions are the versions of one key, the newest first.
func (r *run) versions(ctx context.Context, b bucket.Reader, key string) (all []bucket.Version, top bucket.Version) {
	for _, v := range r.versionsOf(ctx, b, key) {
		if v.Key != key { // the prefix of another one
			continue
		}
		if v.Newest {
			top = v
		}
		all = append(all, v)
	}
	return all, top
}

// versionsOf are the versions of the keys with a prefix, the newest first. There are none if the store does not tell them.
func (r *run) versionsOf(ctx context.Context, b bucket.Reader, prefix string) (all []bucket.Version) {
	store, ok := b.(bucket.Versioned)
	if !ok {
		r.untold(errors.ErrUnsupported)
		return nil
	}
	for v, err := range store.Versions(ctx, prefix) {
		if err != nil {
			r.untold(err)
			return nil
		}
		all = append(all, v)
	}
	slices.SortStableFunc(all, func(a, b bucket.Version) int {
		if a.Newest != b.Newest && a.Key == b.Key {
			if a.Newest {
				return -1
			}
			return 1
		}
		return cmp.Or(b.Written.Compare(a.Written), cmp.Compare(a.Key, b.Key))
	})
	return all
}

// untold takes in that versions cannot be read. If the store has none or does not show them, that is said once.
func (r *run) untold(err error) {
	if !errors.Is(err, errors.ErrUnsupported) {
		r.unread(err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unchecked = true
}

// covered says what covers an original.
func (o *original) covered() string {
	if o.top.Marker {
		return fmt.Sprintf("a delete marker (version %s of %s) hides the original (version %s of %s)",
			idOf(o.top), stamp(o.top.Written), idOf(o.Version), stamp(o.Written))
	}
	return fmt.Sprintf("a newer version (%s of %s, %d bytes) covers the original (version %s of %s)",
		idOf(o.top), stamp(o.top.Written), o.top.Bytes, idOf(o.Version), stamp(o.Written))
}

func idOf(v bucket.Version) string { return cmp.Or(v.ID, "null") }

func digest(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// versionBody reads a version of an object.
func (r *run) versionBody(ctx context.Context, b bucket.Reader, v bucket.Version) (body []byte, ok bool) {
	store, ok := b.(bucket.Versioned)
	if !ok {
		return nil, false
	}
	body, err := store.GetVersion(ctx, v.Key, v.ID)
	if err != nil {
		r.untold(err)
	}
	return body, err == nil
}
