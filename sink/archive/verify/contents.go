package verify

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink"
	"github.com/houndtrail/houndtrail/sink/archive/read"
	"github.com/houndtrail/houndtrail/sink/webhook/deadletter"
)

// bodies bounds the memory for the bodies that are read at a time, in bytes, unless the caller gives a bound. A larger body is read
// alone.
const bodies = 64 << 20

// read reads an object whole, and compares it with its entry.
func (r *run) read(ctx context.Context, o object) {
	weight := min(max(o.Bytes, 1), r.Memory)
	if r.memory.Acquire(ctx, weight) != nil {
		return // the context has ended
	}
	defer r.memory.Release(weight)
	body, _, _, err := r.Files.Get(ctx, o.Key)
	info := bucket.Info{Key: o.Key, Bytes: int64(len(body)), SHA256: digest(body)}
	ok, genuine := r.judge(ctx, o, info, err)
	if !ok {
		body = genuine
	}
	if body == nil || !known(o.entry.Kind) {
		return
	}
	each, sound := func(*record.Record) {}, func() {}
	if ok && r.Watch != nil {
		each, sound = r.Watch.Object()
	}
	if wrong := r.compare(ctx, o, body, each); len(wrong) > 0 {
		r.object(ObjectContents, o, fmt.Sprintf("%s is not what entry %d says: %s.", o.Key, o.entry.Serial, strings.Join(wrong, "; ")))
		return
	}
	sound()
}

// compare reads the records of a body and calls each for every one. It returns the differences from the entry.
func (r *run) compare(ctx context.Context, o object, body []byte, each func(*record.Record)) (wrong []string) {
	file, err := read.Open(body, o.Key)
	if err != nil {
		return []string{err.Error()}
	}
	weight := min(file.Held(), r.Memory)
	if r.decoded.Acquire(ctx, weight) != nil {
		return nil // the context has ended
	}
	defer r.decoded.Release(weight)
	if got := file.Window; !o.of(got) {
		wrong = append(wrong, fmt.Sprintf("it has the window from %s to %s", stamp(got.Start), stamp(got.End)))
	}
	var found checkpoint.Object
	var ids []int64
	var last checkpoint.Record
	var rows sink.Rows
	sorted := true
	err = file.Rows(func(row *record.Record) error {
		id, at := row.ID, row.CreatedAt
		rows.Add(row)
		each(row)
		if found.Records == 0 {
			found.MinID, found.MaxID, found.MinCreatedAt, found.MaxCreatedAt = id, id, at, at
		} else if at.Before(last.CreatedAt) || at.Equal(last.CreatedAt) && id < last.ID {
			sorted = false
		}
		last = checkpoint.Record{ID: id, CreatedAt: at}
		found.Records++
		found.MinID, found.MaxID = min(found.MinID, id), max(found.MaxID, id)
		if at.Before(found.MinCreatedAt) {
			found.MinCreatedAt = at
		}
		if at.After(found.MaxCreatedAt) {
			found.MaxCreatedAt = at
		}
		ids = append(ids, id)
		return nil
	})
	if err != nil {
		return append(wrong, err.Error())
	}
	found.RecordsRoot = rows.Root()
	r.remember(file.Object, ids)
	if !sorted {
		wrong = append(wrong, "its records are not in order of time and id")
	}
	return append(wrong, differs(o.Object, found)...)
}

// of tells whether an object with that window can belong to its entry. A compacted object has the windows of the objects that it
// replaced.
func (o object) of(w window.Window) bool {
	want := o.entry.Window
	return o.entry.Kind == checkpoint.KindCompact || w.Start.Equal(want.Start) && (w.End.IsZero() || w.End.Equal(want.End))
}

// differs compares the facts of an entry about an object's records with the records themselves.
func differs(said, found checkpoint.Object) (wrong []string) {
	for _, field := range []struct {
		what        string
		said, found any
		same        bool
	}{
		{"records", said.Records, found.Records, said.Records == found.Records},
		{"as its lowest id", said.MinID, found.MinID, said.MinID == found.MinID},
		{"as its highest id", said.MaxID, found.MaxID, said.MaxID == found.MaxID},
		{"as its earliest time", stamp(said.MinCreatedAt), stamp(found.MinCreatedAt), said.MinCreatedAt.Equal(found.MinCreatedAt)},
		{"as its latest time", stamp(said.MaxCreatedAt), stamp(found.MaxCreatedAt), said.MaxCreatedAt.Equal(found.MaxCreatedAt)},
		{"as its records_root", said.RecordsRoot.Base64(), found.RecordsRoot.Base64(), said.RecordsRoot == found.RecordsRoot},
	} {
		if !field.same {
			wrong = append(wrong, fmt.Sprintf("it has %v %s, and not %v", field.found, field.what, field.said))
		}
	}
	return wrong
}

// ids are the ids of a tenant's records. They are dense, so a bitmap of them is small. A repeated id need not be the same record,
// because a restored database gives out ids a second time. So the verification reads the day once more, and compares exactly. The
// time of a record decides its day. So if a record is there twice, both copies are on one day.
type ids struct {
	mu     sync.Mutex
	seen   *roaring64.Bitmap
	doubts map[time.Time]bool // the days with a repeated id
}

func (r *run) remember(o read.Object, all []int64) {
	r.mu.Lock()
	of := r.ids[o.Tenant]
	if of == nil {
		of = &ids{seen: roaring64.New(), doubts: map[time.Time]bool{}}
		r.ids[o.Tenant] = of
	}
	r.mu.Unlock()
	of.mu.Lock()
	defer of.mu.Unlock()
	for _, id := range all {
		if !of.seen.CheckedAdd(uint64(id)) {
			of.doubts[o.Day] = true
		}
	}
}

// twice looks for records that the archive has more than once. left are objects that already have a finding for that reason.
func (r *run) twice(ctx context.Context, left map[string]bool) {
	for tenant, of := range r.ids {
		for day := range of.doubts {
			repeated, err := read.Twice(ctx, r.Files, tenant, day)
			if err != nil && !errors.Is(err, read.ErrDamaged) { // a damaged object is a finding already
				r.unread(err)
			}
			for _, found := range repeated {
				found.Keys = slices.DeleteFunc(found.Keys, func(key string) bool { return left[key] })
				if len(found.Keys) < 2 { //nolint:mnd // once is right
					continue
				}
				keys := slices.Compact(slices.Sorted(slices.Values(found.Keys)))
				r.found.add(Finding{
					Code: IDTwice, Severity: Error, Key: found.Keys[0],
					Text: fmt.Sprintf("The record %d of %s is there %d times: in %s.",
						found.ID, stamp(found.CreatedAt), len(found.Keys), strings.Join(keys, " and ")),
				})
			}
		}
	}
}

// name notes the key of an object that an entry names. It tells whether another entry has named it before.
func (r *run) name(key string) (again bool) {
	hash := maphash.String(r.seed, key)
	r.mu.Lock()
	defer r.mu.Unlock()
	_, again = r.known[hash]
	r.known[hash] = struct{}{}
	return again
}

func (r *run) named(key string) bool {
	hash := maphash.String(r.seed, key)
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.known[hash]
	return ok
}

// due tells whether the verification includes a day.
func (r *run) due(day time.Time) bool {
	return (r.Until.IsZero() || day.Before(r.Until)) && (r.Since.IsZero() || day.AddDate(0, 0, 1).After(r.Since))
}

// deadLetters compares each open letter with the entry that names it, and looks for letters that no entry names. If that entry was not
// read, only the letter's existence is checked.
func (j *journal) deadLetters(ctx context.Context) {
	if j.Depth == Heads {
		return
	}
	for _, l := range j.tip.DeadLetters {
		key := deadletter.Key(j.Name, l)
		want := j.letters[key]
		body, _, _, err := j.Positions.Get(ctx, key)
		var code Code
		var text string
		switch {
		case errors.Is(err, fs.ErrNotExist):
			code, text = LetterMissing, fmt.Sprintf("The letter %s is open, and it is not there.", key)
		case errors.Is(err, bucket.ErrDamaged):
			code, text = LetterDiffers, fmt.Sprintf("The letter %s was changed below the store: %v.", key, err)
		case err != nil:
			j.unread(err)
			return
		case want != "" && digest(body) != want:
			code, text = LetterDiffers, fmt.Sprintf("The letter %s has the SHA-256 %s, and %s was committed.", key, digest(body), want)
		default:
			continue
		}
		if found := j.original(ctx, j.Positions, key, want); found != nil {
			text += fmt.Sprintf(" The reason: %s.", found.covered())
		}
		j.found.add(Finding{Code: code, Severity: Error, Stream: j.Name, Key: key, Text: text})
	}
	j.unnamedLetters(ctx)
}

// unnamedLetters needs all entries. A run under way writes a letter before the entry that names it.
func (j *journal) unnamedLetters(ctx context.Context) {
	if j.Sample != nil || j.stream.First > 1 {
		return
	}
	keys, err := j.Positions.List(ctx, j.Name+"/"+deadletter.Folder, "")
	if err != nil {
		j.unread(err)
		return
	}
	lease, err := j.LeaseStatus(ctx)
	severity := Warning
	if err == nil && lease.Holder != (checkpoint.Holder{}) || j.lease.Holder != (checkpoint.Holder{}) {
		severity = Info
	}
	for _, key := range keys {
		if _, named := j.letters[key]; !named {
			j.found.add(Finding{Code: LetterUnknown, Severity: severity, Stream: j.Name, Key: key, Text: fmt.Sprintf(
				"No entry names the letter %s.", key)})
		}
	}
}
