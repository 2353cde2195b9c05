package verify

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/checkpoint/seal"
)

// An original is an earlier version of an object, with the hash that the journal names.
type original struct {
	bucket.Version
	body []byte
	top  bucket.Version // the version or marker that covers it
}

// original looks for the version of an object with that hash. It is nil if there is none, or if the store does not show versions.
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

// versions returns the versions of one key, the newest first.
func (r *run) versions(ctx context.Context, b bucket.Reader, key string) (all []bucket.Version, top bucket.Version) {
	for _, v := range r.versionsOf(ctx, b, key) {
		if v.Key != key { // it is a longer key
			continue
		}
		if v.Newest {
			top = v
		}
		all = append(all, v)
	}
	return all, top
}

// versionsOf returns the versions of the keys with a prefix, the newest first. It returns none if the store does not show them.
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

// untold notes that versions cannot be read. If the store has none or does not show them, the report says so once.
func (r *run) untold(err error) {
	if !errors.Is(err, errors.ErrUnsupported) {
		r.unread(err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unchecked = true
}

// covered says which version or marker covers an original.
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

// hint compares the end of the journal with the hint. It also compares the end with the highest serial that the hint, an earlier
// hint or the lease knows.
func (j *journal) hint(witness uint64) {
	newest, hint := j.end.Newest, j.end.Hint
	switch {
	case witness > newest:
		by := "The hint knows"
		if hint.Serial < witness {
			by = "The lease or an earlier version of the hint knows"
		}
		j.report(EntriesLost, Error, newest+1, "%s %d entries, and the journal ends with entry %d.", by, witness, newest)
	case newest == 0:
	case hint.Serial == 0:
		severity := Warning
		if j.tip.Signed && newest > 1 && j.lease.Holder == (checkpoint.Holder{}) { // a run that ended well has written it
			severity = Error
		}
		j.report(HintMissing, severity, 0, "The hint %s is gone: no other object has the hash of the newest entry, or its head.", j.HintKey())
	case hint.Serial < newest && j.lease.Holder == (checkpoint.Holder{}):
		j.report(HintStale, Warning, 0, "The hint ends with entry %d, and the journal with entry %d.", hint.Serial, newest)
	case hint.Serial < newest: // a run writes the hint at its end
		j.report(HintStale, Info, 0, "The hint ends with entry %d, and the journal with entry %d: the run of %s since %s has not ended.",
			hint.Serial, newest, j.lease.Holder.Host, stamp(j.lease.Since))
	}
}

// earlierHints returns the heads in the earlier versions of the hint, as far as the store keeps and shows them. They are witnesses
// of entries that a person removed together with the hint. bare is the highest serial in the versions without a head.
func (j *journal) earlierHints(ctx context.Context) (heads []*witness, bare uint64) {
	const most = 1000 // if there are more, it reads so many at even distances
	versions, _ := j.versions(ctx, j.Positions, j.HintKey())
	versions = slices.DeleteFunc(versions, func(v bucket.Version) bool { return v.Marker })
	step := max(1, (len(versions)+most-1)/most)
	var mu sync.Mutex
	var reading errgroup.Group
	reading.SetLimit(parallel)
	for i := 0; i < len(versions); i += step {
		v := versions[i]
		reading.Go(func() error {
			body, ok := j.versionBody(ctx, j.Positions, v)
			hint := checkpoint.ParseHint(body)
			h, err := seal.ReadHead(hint.Head)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case !ok:
			case err != nil:
				bare = max(bare, hint.Serial)
			default:
				heads = append(heads, &witness{SignedHead: h, where: fmt.Sprintf("version %s of the hint of %s", idOf(v), stamp(v.Written))})
			}
			return nil
		})
	}
	_ = reading.Wait() // the functions return no error
	slices.SortFunc(heads, func(a, b *witness) int { return cmp.Or(cmp.Compare(a.Size, b.Size), cmp.Compare(a.where, b.where)) })
	return slices.CompactFunc(heads, func(a, b *witness) bool { return a.Note() == b.Note() }), bare
}

// hidden looks for entries after the newest one that delete markers hide.
func (j *journal) hidden(ctx context.Context) {
	folder := func(serial uint64) string {
		key := j.Key(serial)
		return key[:strings.LastIndex(key, "/")+1]
	}
	newest := j.Key(j.end.Newest)
	folders := []string{folder(j.end.Newest)}
	if next := folder(j.end.Newest + 1); next != folders[0] {
		folders = append(folders, next)
	}
	var n int
	var at time.Time
	for _, f := range folders {
		for _, v := range j.versionsOf(ctx, j.Positions, f) {
			if v.Marker && v.Newest && v.Key > newest {
				n++
				if v.Written.After(at) {
					at = v.Written
				}
			}
		}
	}
	if n > 0 {
		j.report(EntryHidden, Error, j.end.Newest+1, "Delete markers hide %d entries after entry %d, the newest of them of %s.",
			n, j.end.Newest, stamp(at))
	}
}
