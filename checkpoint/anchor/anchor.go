// Package anchor remembers the heads of journals at a second place. The store of the journals cannot change that place.
//
// An anchor is an object <stream>-<journal id>/<size, 20 digits>.note. Its body is the head as a note. If the journal has keys,
// the head is signed. The journal id is the last part of the journal's origin. Houndtrail creates an anchor only if there is none
// of that size yet, and never replaces or deletes one. So the role that writes there needs only the rights to create, to read and
// to list. The place should belong to another account than the journals.
//
// Each head is a function of the entries up to its size, and Houndtrail never rewrites an entry. So all anchors of a journal agree
// with it after any crash. An anchor that is missing is only one memory less. A crash cannot explain two cases, and their errors
// stop the stream. The journal is smaller than an anchored head ([checkpoint.ErrRolledBack]), or it had another root at that size
// ([checkpoint.ErrForked]). If an object has an anchor's name and is no head of the journal, it counts as another root: no honest
// writer wrote it.
//
// An anchor is no secret. To compare it, Houndtrail does not open its signatures: a head that agrees with the journal has the same
// text. A reader who trusts the anchors more than the journal opens the signatures with the public keys (package seal).
//
// [Memory] is the reading half, for every program. [Guard] is the part of a run.
package anchor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/checkpoint/seal"
)

// nearby is the distance before a journal's newest entry from which Newest looks first. Most journals get fewer entries in a day.
// So one request to the store finds the newest anchor and any later one.
const nearby = 512

// A Memory has the anchors of one journal.
type Memory struct {
	store  bucket.Reader
	origin string
	folder string
}

// Of returns the anchors of the journal of that origin. It does not touch the store.
func Of(store bucket.Reader, origin string) (Memory, error) {
	if err := seal.CheckOrigin(origin); err != nil {
		return Memory{}, err
	}
	parts := strings.Split(origin, "/")
	return Memory{store, origin, parts[2] + "-" + parts[3] + "/"}, nil
}

// Key is the key of the anchor of that size. All these keys have the same length, so that they sort by size.
func (m Memory) Key(size uint64) string { return m.folder + fmt.Sprintf("%020d.note", size) }

// At names the anchor of that size for people.
func (m Memory) At(size uint64) string {
	return strings.TrimSuffix(m.store.String(), "/") + "/" + m.Key(size)
}

// size reads an anchor's key. If the object is no anchor, ok is false.
func (m Memory) size(key string) (size uint64, ok bool) {
	digits, isNote := strings.CutSuffix(strings.TrimPrefix(key, m.folder), ".note")
	size, err := strconv.ParseUint(digits, 10, 64)
	return size, err == nil && isNote && size > 0 && key == m.Key(size)
}

// Sizes returns the sizes of the anchors, in order, from the first size above after.
func (m Memory) Sizes(ctx context.Context, after uint64) (sizes []uint64, err error) {
	keys, err := m.store.List(ctx, m.folder, m.Key(after))
	if err != nil {
		return nil, fmt.Errorf("list the anchored heads: %w", err)
	}
	for _, key := range keys {
		if size, ok := m.size(key); ok {
			sizes = append(sizes, size)
		}
	}
	return sizes, nil
}

// Newest is the largest size that has an anchor; 0 if there is none. near is the size of the journal. If the newest anchor is not
// far from it, one request to the store is enough.
func (m Memory) Newest(ctx context.Context, near uint64) (uint64, error) {
	for back := uint64(nearby); ; back *= nearby {
		after := near - min(near, back)
		sizes, err := m.Sizes(ctx, after)
		switch {
		case err != nil:
			return 0, err
		case len(sizes) > 0:
			return sizes[len(sizes)-1], nil
		case after == 0:
			return 0, nil
		}
	}
}

// An Anchor is one remembered head.
type Anchor struct {
	Size uint64
	Head *seal.SignedHead // nil if it could not be read
	Age  time.Duration    // by the clock of the place
}

// lateness is the delay that a run may have before it anchors a head.
const lateness = 2 * time.Minute

// Late tells whether a head should be anchored by now that is newer than one of that age, if the journal has gone on since. The
// first run that is due may have failed for a passing reason. The second one should not fail.
func Late(schedule interface{ Next(t time.Time) time.Time }, age time.Duration, now time.Time) bool {
	return now.After(schedule.Next(schedule.Next(now.Add(-age))).Add(lateness))
}

// Read reads the anchor of that size. If it is no head of this journal and this size, the error is [checkpoint.ErrForked]. If
// there is no such anchor, it is fs.ErrNotExist.
func (m Memory) Read(ctx context.Context, size uint64) (Anchor, error) {
	a := Anchor{Size: size}
	body, _, age, err := m.store.Get(ctx, m.Key(size))
	if err != nil {
		return a, fmt.Errorf("read an anchored head: %w", err)
	}
	h, err := seal.ReadHead(string(body))
	if err == nil && (h.Origin != m.origin || h.Size != size) {
		err = fmt.Errorf("it is the head of %s of size %d", h.Origin, h.Size)
	}
	if err != nil {
		return a, fmt.Errorf("%w: %s is no head of %s of size %d, and Houndtrail writes nothing else there: %w", checkpoint.ErrForked,
			m.At(size), m.origin, size, err)
	}
	a.Head, a.Age = h, age
	return a, nil
}

// All returns the anchored heads of the sizes above after, in order. An error about an anchor comes with its size, and the next
// anchor follows it. If the store cannot list the anchors, that error is the only one.
func (m Memory) All(ctx context.Context, after uint64) iter.Seq2[Anchor, error] {
	return func(yield func(Anchor, error) bool) {
		sizes, err := m.Sizes(ctx, after)
		if err != nil {
			yield(Anchor{}, err)
			return
		}
		for _, size := range sizes {
			if !yield(m.Read(ctx, size)) {
				return
			}
		}
	}
}

// Origins returns the origins of a tenant's stream that have anchors. There are several if a journal was adopted, or if several
// journals of one name share the place. If the anchor of a journal cannot be read, the result lacks its origin, and the error
// tells of it.
func Origins(ctx context.Context, store bucket.Reader, tenant, stream string) (origins []string, err error) {
	const anyID = "00000000-0000-0000-0000-000000000000"
	sample, err := seal.NewOrigin(tenant, stream, anyID)
	if err != nil {
		return nil, err
	}
	family := sample[:strings.LastIndex(sample, "/")+1]
	keys, err := store.List(ctx, stream+"-", "")
	if err != nil {
		return nil, fmt.Errorf("list the anchored heads: %w", err)
	}
	var problems []error
	for _, id := range ids(keys, stream) {
		m, err := Of(store, family+id)
		if err != nil {
			continue // the folder of another program
		}
		size, err := m.Newest(ctx, 0)
		if err != nil || size == 0 {
			problems = append(problems, err)
			continue
		}
		switch _, err := m.Read(ctx, size); {
		case err == nil:
			origins = append(origins, m.origin)
		case !errors.Is(err, checkpoint.ErrForked) && !errors.Is(err, fs.ErrNotExist): // those are another tenant's
			problems = append(problems, err)
		}
	}
	return origins, errors.Join(problems...)
}

// ids returns the journal ids in the keys of a stream's anchors.
func ids(keys []string, stream string) (found []string) {
	for _, key := range keys {
		folder, _, _ := strings.Cut(strings.TrimPrefix(key, stream+"-"), "/")
		if !slices.Contains(found, folder) {
			found = append(found, folder)
		}
	}
	return found
}
