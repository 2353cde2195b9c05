package exporter

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/bloodhound"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// Source is the audit log. Its errors are final: it has retried every request that may succeed later.
type Source interface { //nolint:interfacebloat // it is one server, and each method asks it one question
	// Clock returns the server's clock, and this machine's time at which the server told it.
	Clock(ctx context.Context) (bloodhound.Reading, error)
	// Guess returns an estimate of the same without a request, so an idle cycle needs only half of its requests. The zero Reading
	// means that the Source has no estimate. The first batch of the cycle shows whether the estimate was right. If it was wrong,
	// the cycle begins anew, by Clock.
	Guess() bloodhound.Reading
	// Extent tells the beginning of the log, as far as the server can tell, and how dense the log is until now.
	Extent(ctx context.Context, now time.Time) (bloodhound.Extent, error)
	// First returns an instant such that no record of the span is earlier. ok is false if there is no record before to.
	First(ctx context.Context, from, to time.Time) (at time.Time, ok bool, err error)
	// Newest returns the time of the latest record, even if this time is in the future by one of the clocks.
	Newest(ctx context.Context) (at time.Time, ok bool, err error)
	// Has tells whether there is a record with that id that was created at that instant.
	Has(ctx context.Context, id int64, at time.Time) (bool, error)
	// Fetch reads every record with after <= created_at <= before, sorted and each once. If it would return more than limits
	// allow, it gives up early with a [*bloodhound.TooManyError]: a window has to fit into memory. The server can send a count
	// with each page. Fetch asks for the counts of records from each instant of count on, one a page, as far as the pages suffice.
	Fetch(ctx context.Context, after, before time.Time, limits bloodhound.Limits, count ...time.Time) (bloodhound.Batch, error)
	// FetchParts is Fetch for a span that does not fit into memory. It calls use for one part after another. A part holds about as
	// many records as limits allow, and is sorted. The parts come in no order. A record at the ends of two parts comes in both.
	// The batch has everything but the records. If use returns an error, FetchParts stops and returns that error.
	FetchParts(
		ctx context.Context, after, before time.Time, limits bloodhound.Limits, use func(records []record.Record) error, count ...time.Time,
	) (bloodhound.Batch, error)
	// Count returns how many records the server counts from an instant on; known is false if the server does not tell.
	Count(ctx context.Context, from time.Time) (n int64, known bool, err error)
	// Own tells whether a record is only the trace of the source's own requests.
	Own(ctx context.Context, r *record.Record) bool
}

// A Follower is a [Source] that is an archive. A stream with one in [Exporter.Archive] follows the archive's commits. Then it need not
// search for late records: the entries of the archive's journals tell which records came late, and were they years late.
//
// The stream delivers in two steps. First it takes the late records: those of entries that it has not followed so far, as far as they
// are older than its cursor. Then it takes the time from its cursor to the archive's cursor. After both, it has delivered each record of
// these entries that is older than its new cursor, each once. A crash between two commits changes nothing in that: the position has the
// cursor and the entries.
type Follower interface {
	Source
	// Follow reads what the archive has committed, and tells the next step. Until the next call, the Source has the records of these
	// entries, and of no later ones.
	Follow(ctx context.Context, at FollowedTo) (Step, error)
}

// FollowedTo is the position of a stream that follows an archive.
type FollowedTo struct {
	checkpoint.Followed

	Cursor time.Time // the stream's own
	Floor  time.Time // the stream wants no record from before it; zero for no limit
	// Since is set if the stream has read from the server so far: the archive must account for all time from then on, since the stream
	// will not ask the server for it.
	Since time.Time
}

// A Step is the next work of a stream that follows an archive.
type Step struct {
	Late             Source              // has only the late records; nil if there are none
	LateFrom, LateTo time.Time           // when the first and the last of them were created
	Next             checkpoint.Followed // the entries that are followed once the late records are delivered
	Until            time.Time           // the archive's cursor; zero if the archive has no journal yet
	End              time.Time           // these entries have no later record
	More             bool                // Until is earlier, because there is too much for one step
	Standing         error               // says why newer records may be missing in the archive; nil if it is well
}

// Sink is the destination. Records come sorted by (created_at, id); some may be older than their window (late rows). After a
// crash, a window with the same window.Start comes again. Then the Sink replaces the files of the attempt that was not
// committed, or it repeats the records with the same event ids. If a window has no records, the Sink writes nothing. The
// exporter prepares and writes several windows at the same time.
type Sink interface {
	// Prepare does all work that changes nothing outside the process, before it is the window's turn: encoding takes longest. Once
	// Prepare has returned, it keeps no record. It returns the function write. This function holds so many bytes of memory until
	// the exporter has called it. The exporter calls it once. When write returns, the window is durable: the objects in the
	// receipt survive a crash of Houndtrail or of the destination.
	Prepare(w window.Window, records []record.Record) (
		write func(context.Context) (checkpoint.Receipt, error), bytes int64, err error,
	)
	// WriteParts does the same for a window whose records do not fit into memory together. The records come part by part. Each
	// part is sorted, and no record comes twice. WriteParts has written one part before it asks for the next. If an earlier
	// attempt has left objects of the window, the receipt names them too. If an error comes instead of a part, WriteParts stops
	// and returns that error.
	WriteParts(ctx context.Context, w window.Window, parts iter.Seq2[[]record.Record, error]) (checkpoint.Receipt, error)
}

// InOrder is what a [Sink] also is if its receiver may refuse records that come behind later ones. Then the exporter writes one
// window at a time.
type InOrder interface {
	InOrder() bool
}

// Destination holds the questions that an exporter asks the place to which the records go. The [Sink] writes the records. If a
// function is nil, the destination cannot answer that question. A webhook, for example, only takes records.
type Destination struct {
	// Occupied looks for an object of a window that starts before an instant (zero for any window), and that none of the attempts
	// can have left. It returns the object's key, or "" if there is none. The exporter asks this if there is no journal. If the
	// destination holds records, it had a journal once.
	Occupied func(ctx context.Context, before time.Time, attempts []window.Window) (key string, err error)
	// Beside looks in the place of the missing journal for another stream whose journal has entries. It returns that stream's
	// name, or "" if there is none.
	Beside func(ctx context.Context) (stream string, err error)
	// Quarantine keeps the bytes of a record that Houndtrail could not read, and returns their key and their SHA-256.
	Quarantine func(ctx context.Context, raw []byte) (key, sha256 string, err error)
	// Attempt lists the objects that an attempt at a window has left.
	Attempt func(ctx context.Context, w window.Window) (keys []string, err error)
	// Recall reads the ids and the times of an object's records.
	Recall func(ctx context.Context, key string, add func(id int64, createdAt time.Time)) error
}

// Store has the stream's position. Load answers checkpoint.ErrNotFound for a new stream. Commit answers checkpoint.ErrConflict
// if another runner committed first.
type Store interface { //nolint:interfacebloat // it is one journal
	Load(ctx context.Context) (checkpoint.Stored, error)
	Commit(ctx context.Context, prev checkpoint.Stored, next checkpoint.Checkpoint) (checkpoint.Stored, error)
	// Declare commits the public keys that vouch for the journal from now on, if they changed, and returns the newest entry. It takes the
	// lease only if it writes.
	Declare(ctx context.Context, lease *checkpoint.Lease, prev checkpoint.Stored, at time.Time) (checkpoint.Stored, error)
	// Undeclared tells whether Declare has something to say.
	Undeclared(ctx context.Context, prev checkpoint.Stored) (bool, error)
	// Look reads the lease, which keeps other runners away from the stream. The caller takes the lease later, with the lease's
	// Hold.
	Look(ctx context.Context) (*checkpoint.Lease, error)
	// Delivered reads an entry's set of delivered ids: the last whole set, and the changes after it.
	Delivered(ctx context.Context, s checkpoint.Stored) (set []byte, changes [][]byte, err error)
	// Snapshot writes a whole set. The entry after prev is going to name it.
	Snapshot(ctx context.Context, prev checkpoint.Stored, set []byte) (*checkpoint.Base, error)
}

// An Observer hears how far a stream has come. It must not block.
type Observer interface {
	// Committed says that a window is delivered and committed.
	Committed(c Commit)
	// CaughtUp says that there was no new record until that instant, and so the cycle committed nothing. By the server's clock,
	// the instant was lag ago.
	CaughtUp(until time.Time, lag time.Duration)
	// Clocks says by how much the server's clock is ahead of this machine's.
	Clocks(skew time.Duration)
	// Guarded tells the source's oldest record, and when the source may begin to drop records that are not exported yet. A zero
	// oldest means that Houndtrail does not know it. A zero deadline means that Houndtrail does not expect the source to drop any.
	Guarded(oldest, deadline time.Time)
}

// Unobserved is an Observer that does nothing. An Observer that needs only some of the methods embeds it.
type Unobserved struct{}

// Committed does nothing.
func (Unobserved) Committed(Commit) {}

// CaughtUp does nothing.
func (Unobserved) CaughtUp(time.Time, time.Duration) {}

// Clocks does nothing.
func (Unobserved) Clocks(time.Duration) {}

// Guarded does nothing.
func (Unobserved) Guarded(_, _ time.Time) {}

// A Commit is one window that is delivered and committed.
type Commit struct {
	Entry    checkpoint.Checkpoint
	Lag      time.Duration // from the cursor to the server's now
	Duration time.Duration // from the end of the previous window
}

// ErrStopped says that Stopping ended a cycle before it committed everything. The next one starts from the last commit.
var ErrStopped = errors.New("told to stop before everything was committed")

// Stage names the part of a cycle that failed.
type Stage string

// The stages of a cycle.
const (
	StageSource     Stage = "source"
	StageSink       Stage = "sink"
	StageCheckpoint Stage = "checkpoint"
)

// Error says why a cycle ended early.
type Error struct {
	Stage Stage
	Err   error
}

func (e *Error) Error() string { return string(e.Stage) + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// RangeError says why a [Backfill] or a reset cannot do the work that the user asked for, and which work it could do. It did
// nothing.
type RangeError struct{ Problem string }

func (e *RangeError) Error() string { return e.Problem }

// failed adds the stage in which an error occurred, unless the error already names a stage.
func failed(stage Stage, err error) error {
	if err == nil {
		return nil
	}
	if _, known := err.(*Error); known { //nolint:errorlint // an error inside it may have another stage
		return err
	}
	return &Error{Stage: stage, Err: err}
}
