package replay

import (
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// The errors of a source, to be tested with errors.Is. The errors that wrap them say what to do.
var (
	// ErrNotHeld: the archive does not account for all of a time.
	ErrNotHeld = errors.New("the archive does not hold all of this time")
	// ErrNotWhole: records of a range are missing in the archive.
	ErrNotWhole = errors.New("the archive does not hold the range as a whole")
	// ErrUnfollowable: the archive's journal does not tell any more what a stream has to deliver next.
	ErrUnfollowable = errors.New("the archive's journal is not the one that the stream has followed")
	// ErrStands: the archive has committed nothing for too long, so newer records are missing in it.
	ErrStands = errors.New("the archive stands still")
)

// A Journal is the part of a journal that the source reads.
type Journal interface {
	Load(ctx context.Context) (checkpoint.Stored, error)
	Last(ctx context.Context, n int) iter.Seq2[checkpoint.Stored, error]
	LeaseStatus(ctx context.Context) (checkpoint.LeaseStatus, error)
}

// An Object is an object of the archive, as an entry names it.
type Object struct {
	Key      string
	Bytes    int64
	SHA256   string    // in hex; "" if no entry names the object, as its entry was removed or it was adopted
	From, To time.Time // of its first and its last record; of its day, if no entry names it
	Records  int       // 0 if no entry names it
}

// Files are the objects of the archive.
type Files interface {
	// Read calls use with each record of the object that was created from one instant to another, both included, in the order of
	// (created_at, id), until use returns an error. The records have their Raw. They are valid as long as the caller keeps them.
	// Read compares the object with the size and the SHA-256 (in hex) that the entry names; "" if no entry names the object. If the
	// object is not there any more, the error is fs.ErrNotExist.
	Read(ctx context.Context, key string, size int64, sha256 string, from, to time.Time, use func(*record.Record) error) error
	// List calls found with each object that exists: its key, its day as midnight in UTC, and the start and the pass of its window.
	List(ctx context.Context, found func(key string, day, start time.Time, pass uint64)) error
}

// An Archive is what the source reads.
type Archive struct {
	Journal  Journal // of the archive's stream
	Backfill Journal // of its backfill
	Files    Files
	Now      func() time.Time // our own clock; nil for this machine's
	// Due tells when the next commit must have come at the latest, after one at a time. If it has not come, a stream that follows the
	// archive says so. A stream that is well commits at least once an hour. Nil: the stream never says so.
	Due func(committed time.Time) time.Time
	Log *zap.Logger // nil is silent

	most int // objects that a catalog holds; 0 for the default
}

func (a *Archive) now() time.Time {
	if a.Now != nil {
		return a.Now().UTC()
	}
	return time.Now().UTC()
}

func (a *Archive) log() *zap.Logger {
	if a.Log != nil {
		return a.Log
	}
	return zap.NewNop()
}

// read reads records of a piece.
func (a *Archive) read(ctx context.Context, p piece, use func(*record.Record) error) error {
	return a.Files.Read(ctx, p.Key, p.Bytes, p.SHA256, p.low, p.high, use)
}

// newest is the newest entry of a journal; the zero value if there is none.
func newest(ctx context.Context, j Journal) (checkpoint.Stored, error) {
	s, err := j.Load(ctx)
	if errors.Is(err, checkpoint.ErrNotFound) {
		return checkpoint.Stored{}, nil
	}
	return s, err
}

// attempts tells which objects may belong to attempts that are not committed. Without an entry, such an object is no part of the archive.
func attempts(ctx context.Context, a *Archive) (open func(start time.Time, pass uint64) bool, err error) {
	var all []window.Window
	for _, j := range []Journal{a.Journal, a.Backfill} {
		lease, err := j.LeaseStatus(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, lease.Intents...)
	}
	return func(start time.Time, pass uint64) bool {
		return slices.ContainsFunc(all, func(w window.Window) bool { return w.Start.Equal(start) && w.Pass == pass })
	}, nil
}

func stamp(at time.Time) string { return at.UTC().Format(time.RFC3339Nano) }
