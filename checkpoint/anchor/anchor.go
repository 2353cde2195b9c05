// Package anchor remembers the heads of journals at a second place, which the store of the journals cannot change: an anchor.
//
// An anchor is an object <stream>-<journal id>/<size, 20 digits>.note whose body is the head as a note, signed if the journal
// has keys. The journal id is the last part of the journal's origin. Houndtrail creates an anchor only if there is none of that
// size yet, and never replaces or deletes one. So the role that writes there needs the rights to create, to read and to list,
// and no other. The place should belong to another account than the journals.
//
// Each head is a function of the entries up to its size, and no entry is ever rewritten. So all anchors of a journal agree with
// it, whatever crashed meanwhile, and an anchor that is missing is only one memory less. Two things cannot be explained by a
// crash, and are errors that stop the stream: the journal is smaller than an anchored head ([checkpoint.ErrRolledBack]), or it
// had another root at that size ([checkpoint.ErrForked]). An object that has an anchor's name and is no head of the journal
// counts as another root: no honest writer wrote it.
//
// An anchor is no secret, and its signatures need not be opened to compare it: a head that agrees with the journal is the same
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

// nearby is how far before a journal's newest entry Newest looks at first: more entries than most journals get in a day, so that
// one request to the store finds the newest anchor and whether there is a later one.
const nearby = 512

// A Memory is the anchors of one journal.
type Memory struct {
	store  bucket.Reader
	origin string
	folder string
}

// Of are the anchors of the journal of that origin. It does not touch the store.
func Of(store bucket.Reader, origin string) (Memory, error) {
	if err := seal.CheckOrigin(origin); err != nil {
		return Memory{}, err
	}
	parts := strings.Split(origin, "/")
	return Memory{store, origin, parts[2] + "-" + parts[3] + "/"}, nil
}

// Key is the key of the anchor of that size. All of them have the same length, so that they sort by size.
func (m Memory) Key(size uint64) string { return m.folder + fmt.Sprintf("%020d.note", size) }

// At names the anchor of that size for people.
func (m Memory) At(size uint64) string {
	return strings.TrimSuffix(m.store.String(), "/") + "/" + m.Key(size)
}

// size reads an anchor's key; ok is false for every other object.
func (m Memory) size(key string) (size uint64, ok bool) {
	digits, isNote := strings.CutSuffix(strings.TrimPrefix(key, m.folder), ".note")
	size, err := strconv.ParseUint(digits, 10, 64)
	return size, err == nil && isNote && size > 0 && key == m.Key(size)
}

// Sizes are the sizes above after of which there are anchors, in order.
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

// Newest is the largest size of which there is an anchor; 0 if there is none. near is the size of the journal: one request to the
// store is enough if the newest anchor is not far from it.
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

// lateness is how late a run may anchor a head.
const lateness = 2 * time.Minute

// Late tells whether a newer head should be anchored by now than one of that age, if the journal has gone on since. The first run that
// is due may have failed for a passing reason. The second one should not.
func Late(schedule interface{ Next(t time.Time) time.Time }, age time.Duration, now time.Time) bool {
	return now.After(schedule.Next(schedule.Next(now.Add(-age))).Add(lateness))
}

// Read reads the anchor of that size. If it is no head of this journal and this size, the error is [checkpoint.ErrForked]; a
// missing anchor is fs.ErrNotExist.
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

// All returns the anchored heads of the sizes above after, in order. An error comes with the size of its anchor, and ends only
// what cannot be listed.
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

// Origins are the origins of the journals of a tenant's stream of which there are anchors. There are several if a journal was
// adopted, or if several journals of one name share the place. A stream whose anchor cannot be read is left out, and is part of
// the error.
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
			continue // another program's folder
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

// ids are the journal ids in the keys of a stream's anchors.
func ids(keys []string, stream string) (found []string) {
	for _, key := range keys {
		folder, _, _ := strings.Cut(strings.TrimPrefix(key, stream+"-"), "/")
		if !slices.Contains(found, folder) {
			found = append(found, folder)
		}
	}
	return found
}
