package exporter

import (
	"context"
	"iter"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/bloodhound"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// Source is the audit log. Its errors are final: what could be retried has been.
type Source interface { //nolint:interfacebloat // it is one server, and each method one question to it
	// Clock is the server's clock, beside the moment at which it was told.
	Clock(ctx context.Context) (bloodhound.Reading, error)
	// Guess is about the same without a request, which saves an idle cycle half of its requests; the zero Reading stands
	// for no idea. The batch that is fetched by it tells whether it was right. If not, the cycle begins anew, by Clock.
	Guess() bloodhound.Reading
	// Extent is where the log begins, as far as the server can tell, and how dense it is until now.
	Extent(ctx context.Context, now time.Time) (bloodhound.Extent, error)
	// First is an instant that no record of the span is before; ok is false if there is no record before to.
	First(ctx context.Context, from, to time.Time) (at time.Time, ok bool, err error)
	// Newest is when the latest record was created, whatever any clock says.
	Newest(ctx context.Context) (at time.Time, ok bool, err error)
	// Has tells whether there is a record with that id that was created at that instant.
	Has(ctx context.Context, id int64, at time.Time) (bool, error)
	// Fetch reads every record with after <= created_at <= before, sorted and each once. With more of them than
	// limits allow it gives up early with a [*bloodhound.TooManyError], since memory is bounded by one window.
	// The batch's pages bring along what the server counts from the instants count on, one each, as far as they go.
	Fetch(ctx context.Context, after, before time.Time, limits bloodhound.Limits, count ...time.Time) (*bloodhound.Batch, error)
	// FetchParts is Fetch for a span that does not fit into memory: it calls use for one part of about what limits allow after
	// another, each sorted, in no order among them, and a record that is at the end of two comes twice. The batch has
	// everything but the records. An error of use ends it, and comes back.
	FetchParts(
		ctx context.Context, after, before time.Time, limits bloodhound.Limits, use func(records []record.Record) error, count ...time.Time,
	) (*bloodhound.Batch, error)
	// Count is how many records the server counts from an instant on; known is false if it does not tell.
	Count(ctx context.Context, from time.Time) (n int64, known bool, err error)
	// Own tells whether a record is nothing but the trace of the source's own requests.
	Own(ctx context.Context, r *record.Record) bool
}

// Sink is the destination. Records come sorted by (created_at, id); some may be older than their window (late rows). The same
// window.Start again replaces what an uncommitted attempt left, or repeats it with the same event ids. Of no records it writes
// nothing. Several windows are prepared and written at the same time.
type Sink interface {
	// Prepare does what touches nothing outside, ahead of the window's turn: encoding is what takes longest. It keeps no record. What
	// it returns holds so many bytes until it has been called, which is once: that is durable when it returns, so that what the
	// receipt names survives a crash of either side.
	Prepare(w window.Window, records []record.Record) (
		write func(context.Context) (checkpoint.Receipt, error), bytes int64, err error,
	)
	// WriteParts does all of it for a window whose records do not fit into memory together. They come part by part, each of them
	// sorted and none of them twice. It has written one part before it asks for the next, and what an earlier attempt has left of
	// the window is part of the receipt. An error among the parts ends it, and comes back.
	WriteParts(ctx context.Context, w window.Window, parts iter.Seq2[[]record.Record, error]) (checkpoint.Receipt, error)
}

// Destination is what an exporter asks of the place where the records go, beside the [Sink] that writes them. Nil
// functions stand for a destination that only takes, as a webhook does.
type Destination struct {
	// Occupied is a thing that is there, of a window that starts before an instant (zero for any), and that no attempt at
	// one of these windows can have left; "" if there is none. It is asked when there is no journal: a destination that holds
	// records had one.
	Occupied func(ctx context.Context, before time.Time, attempts []window.Window) (key string, err error)
	// Beside names a stream whose journal lies in the same place as the one that is missing, and has entries; "" for none.
	Beside func(ctx context.Context) (stream string, err error)
	// Quarantine keeps the bytes of a record that could not be read, and returns where and their SHA-256.
	Quarantine func(ctx context.Context, raw []byte) (key, sha256 string, err error)
	// Attempt are the objects that an attempt at a window has left.
	Attempt func(ctx context.Context, w window.Window) (keys []string, err error)
	// Recall reads which records are in an object.
	Recall func(ctx context.Context, key string, add func(id int64, createdAt time.Time)) error
}

// Store is the stream's position. Load answers checkpoint.ErrNotFound for a new stream; Commit answers
// checkpoint.ErrConflict if another runner committed first.
type Store interface {
	Load(ctx context.Context) (checkpoint.Stored, error)
	Commit(ctx context.Context, prev checkpoint.Stored, next checkpoint.Checkpoint) (checkpoint.Stored, error)
	// Look keeps other runners away from the stream, and takes the lease only once it is held.
	Look(ctx context.Context) (*checkpoint.Lease, error)
	// Delivered reads the set of delivered ids of an entry: what it was once, and the changes since.
	Delivered(ctx context.Context, s checkpoint.Stored) (set []byte, changes [][]byte, err error)
	// Snapshot writes a set down that the entry after prev is going to name.
	Snapshot(ctx context.Context, prev checkpoint.Stored, set []byte) (*checkpoint.Base, error)
}

// An Observer is told how far a stream has come. It must not block.
type Observer interface {
	// Committed: a window is delivered and committed.
	Committed(c Commit)
	// CaughtUp: nothing was new until that instant, lag ago by the server's clock, and nothing was committed.
	CaughtUp(until time.Time, lag time.Duration)
	// Clocks: the server's clock is ahead of this machine's by that much.
	Clocks(skew time.Duration)
	// Guarded tells the oldest record that the source has, and when it may begin to drop records that are not exported
	// yet. The zero time stands for "not known", and for "not to be expected".
	Guarded(oldest, deadline time.Time)
}

// Unobserved is an Observer that takes no notice. Observers of only some things embed it.
type Unobserved struct{}

// Committed takes no notice.
func (Unobserved) Committed(Commit) {}

// CaughtUp takes no notice.
func (Unobserved) CaughtUp(time.Time, time.Duration) {}

// Clocks takes no notice.
func (Unobserved) Clocks(time.Duration) {}

// Guarded takes no notice.
func (Unobserved) Guarded(_, _ time.Time) {}

// A Commit is one window that is delivered and committed.
type Commit struct {
	Entry    checkpoint.Checkpoint
	Lag      time.Duration // from the cursor to the server's now
	Duration time.Duration // from the end of the previous window
}
