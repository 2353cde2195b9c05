// Package serve reads the records of an archive's objects as the server sent them, for a stream that reads from the archive and not
// from BloodHound.
//
// It compares each object with the entry of the journal that names it, before it gives away a record. It reads a small object as a
// whole, and keeps the last ones: the next window often has records of the same object. Of a larger object it reads only the parts that
// can have wanted records, after it has read the object once for its SHA-256, piece by piece.
package serve

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink/archive/read"
	"github.com/houndtrail/houndtrail/sink/parquet"
)

const (
	// smallBytes is the size up to which an object is read as a whole, and keptBytes is how many bytes of such objects stay in memory.
	smallBytes = 4 << 20
	keptBytes  = 16 << 20
	// tail is how much of a larger object's end the first request reads.
	tail = 128 << 10
	// decodedBytes is how many bytes decoded records and buffers may take while they are read.
	decodedBytes = 32 << 20
)

// Memory is about how many bytes a Reader holds at most, besides the records that it has given away.
const Memory = keptBytes + decodedBytes

// An object names what to read. If no entry names the object, there is nothing to compare it with: bytes is 0 and sha256 is "".
type object struct {
	key    string
	bytes  int64
	sha256 string // in hex
}

// Store is the store of the archive.
type Store interface {
	bucket.Opener
	bucket.Inspector
}

// A Reader reads objects of an archive. All calls are safe for concurrent use.
type Reader struct {
	files  Store
	tenant string
	line   func(served string) (record.Record, error)
	memory *semaphore.Weighted

	mu     sync.Mutex
	kept   []body          // small objects, the last used one last
	proved map[string]bool // larger objects whose SHA-256 was compared, by key and SHA-256
}

// A body is a small object.
type body struct {
	key, sha256 string
	bytes       []byte
}

// New makes a Reader for a tenant's objects. line makes a record from the JSON that the server sent for it.
func New(files Store, tenant string, line func(served string) (record.Record, error)) *Reader {
	return &Reader{files: files, tenant: tenant, line: line, memory: semaphore.NewWeighted(decodedBytes), proved: map[string]bool{}}
}

// Read calls use with each record of the object that was created from one instant to another, both included, in the object's order,
// until use returns an error. The records have their Raw. size and sha256 are those that an entry of the journal names; "" if none
// does. If the object is not there any more, the error is fs.ErrNotExist. If it is not the one of the entry, or cannot be read, or has
// columns of a later version, the error is [read.ErrDamaged] or [read.ErrNewer].
func (r *Reader) Read(
	ctx context.Context, key string, size int64, sha256 string, from, to time.Time, use func(*record.Record) error,
) error {
	o := object{key, size, sha256}
	var ours error // every other error is about the object
	err := r.read(ctx, o, from, to, func(rec *record.Record) error {
		if ours = read.Serve(rec); ours != nil {
			ours = fmt.Errorf("%s: %w: %w", o.key, read.ErrDamaged, ours)
			return ours
		}
		ours = use(rec)
		return ours
	})
	switch {
	case ours != nil:
		return ours
	case errors.Is(err, fs.ErrExist): // another body has replaced it while it was read
		return fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	return err
}

// List calls found with each object of the tenant's archive: its key, its day, and the start and the pass of its window.
func (r *Reader) List(ctx context.Context, found func(key string, day, start time.Time, pass uint64)) error {
	all, _, err := read.Objects(ctx, r.files, r.tenant)
	for _, o := range all {
		found(o.Key(), o.Day, o.Start, o.Pass)
	}
	return err
}

func (r *Reader) read(ctx context.Context, o object, from, to time.Time, use func(*record.Record) error) error {
	if o.bytes > 0 && o.bytes <= smallBytes {
		whole, err := r.whole(ctx, o)
		if err != nil {
			return err
		}
		return r.search(ctx, bytes.NewReader(whole), o.bytes, o, from, to, use)
	}
	if err := r.prove(ctx, o); err != nil {
		return err
	}
	opened, err := r.files.Open(ctx, o.key, tail)
	if err != nil {
		return err
	}
	defer opened.Close()
	if o.sha256 != "" && opened.Size() != o.bytes {
		return changed(o, fmt.Sprintf("%d bytes", opened.Size()))
	}
	at := &read.Watched{ReaderAt: opened}
	err = r.search(ctx, at, opened.Size(), o, from, to, use)
	if failed := at.Failed(); failed != nil {
		return failed
	}
	return err
}

// whole returns a small object.
func (r *Reader) whole(ctx context.Context, o object) ([]byte, error) {
	if kept := r.recall(o); kept != nil {
		return kept, nil
	}
	found, _, _, err := r.files.Get(ctx, o.key)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(found)
	if got := hex.EncodeToString(sum[:]); got != o.sha256 {
		return nil, changed(o, "the SHA-256 "+got)
	}
	r.keep(body{o.key, o.sha256, found})
	return found, nil
}

func (r *Reader) recall(o object) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, b := range r.kept {
		if b.key == o.key && b.sha256 == o.sha256 {
			r.kept = append(append(r.kept[:i:i], r.kept[i+1:]...), b)
			return b.bytes
		}
	}
	return nil
}

func (r *Reader) keep(b body) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept = append(r.kept, b)
	held := 0
	for _, b := range r.kept {
		held += len(b.bytes)
	}
	for held > keptBytes {
		held -= len(r.kept[0].bytes)
		r.kept[0] = body{}
		r.kept = r.kept[1:]
	}
}

// prove compares the SHA-256 of a larger object with its entry, once. It holds only a piece of the object at a time.
func (r *Reader) prove(ctx context.Context, o object) error {
	name := o.key + " " + o.sha256
	r.mu.Lock()
	done := o.sha256 == "" || r.proved[name]
	r.mu.Unlock()
	if done {
		return nil
	}
	found, err := r.files.Hash(ctx, o.key)
	if err != nil {
		return err
	}
	if found.SHA256 != o.sha256 {
		return changed(o, "the SHA-256 "+found.SHA256)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.proved[name] = true
	return nil
}

// changed is the error about an object that is not the one of its entry.
func changed(o object, has string) error {
	return fmt.Errorf("%s: %w: it has %s, and the journal says %d bytes with the SHA-256 %s; none of its records was sent. Put back what "+
		"Houndtrail wrote there (an earlier version of the object, or a backup); houndtrail verify finds all such objects", o.key,
		read.ErrDamaged, has, o.bytes, o.sha256)
}

// search reads the wanted records.
func (r *Reader) search(
	ctx context.Context, at io.ReaderAt, size int64, o object, from, to time.Time, use func(*record.Record) error,
) error {
	f, err := read.OpenAt(at, size, o.key)
	if err != nil {
		return err
	}
	if newer := f.Newer(); newer != nil { // its records would come without these columns
		return newer
	}
	within := parquet.Range{Low: from.UnixMicro(), High: to.UnixMicro()}
	wants := func(at time.Time) bool { return within.Low <= at.UnixMicro() && at.UnixMicro() <= within.High }
	err = f.Search(read.Query{
		Query: parquet.Query{
			IDs: parquet.Range{Low: math.MinInt64, High: math.MaxInt64}, Instants: func() parquet.Range { return within },
			Whole: size <= smallBytes, // it is in memory, so its indexes need not be believed
			Match: func(rec *record.Record) bool { return wants(rec.CreatedAt) },
			Borrow: func(n int64) (func(), error) {
				n = min(n, decodedBytes)
				if err := r.memory.Acquire(ctx, n); err != nil {
					return nil, err
				}
				return func() { r.memory.Release(n) }, nil
			},
		},
		Wants: func(_ int64, at time.Time) bool { return wants(at) },
		Line:  r.line,
	}, use)
	if ctx.Err() != nil {
		return ctx.Err() // the file would call it a damage
	}
	return err
}
