package exporter

import (
	"context"
	"time"

	"houndtrail/checkpoint"
	"houndtrail/exporter/bloodhound"
	"houndtrail/exporter/window"
)

// Source is the audit log. Its errors are final: what could be retried has been.
type Source interface {
	// Clock is the server's clock, which windows are cut by, beside our own.
	Clock(ctx context.Context) (bloodhound.Reading, error)
	// Extent is where the log begins, as far as the server can tell, and how dense it is.
	Extent(ctx context.Context, now time.Time) (bloodhound.Extent, error)
	// Fetch reads every record with after <= created_at <= before, sorted and each once. With more of them than
	// limits allow it gives up early with a [*bloodhound.TooManyError], since memory is bounded by one window.
	// The batch's pages bring along what the server counts from the instants count on, one each, as far as they go.
	Fetch(ctx context.Context, after, before time.Time, limits bloodhound.Limits, count ...time.Time) (*bloodhound.Batch, error)
	// Count is how many records the server counts from an instant on; known is false where it does not tell.
	Count(ctx context.Context, from time.Time) (n int64, known bool, err error)
}

// A Guesser is a Source that can say about what time it is without asking, which saves an idle cycle half of its
// requests. The batch that is fetched by it tells whether it was right; where not, the cycle begins anew, by Clock.
type Guesser interface {
	Guess() bloodhound.Reading
}

// A Recogniser is a Source that can tell which records are nothing but the trace of its own requests.
type Recogniser interface {
	Own(ctx context.Context, r *bloodhound.Record) bool
}

// Sink is the destination.
//
// Write is durable when it returns: what the receipt names survives a crash of either side. The same window.Start
// again replaces what an uncommitted attempt left, or repeats it with the same event ids. Records are sorted by
// (created_at, id) and are not kept after Write returns; some may be older than the window (late rows).
// With no records it writes nothing.
type Sink interface {
	Write(ctx context.Context, w window.Window, records []bloodhound.Record) (checkpoint.Receipt, error)
}

// A Preparer is a Sink that can do the part of Write that touches nothing outside ahead of its turn, while the window
// before is still prepared or written: encoding is what takes longest. What Prepare returns does the rest of Write, without
// the records: their memory is used again as soon as Prepare returns.
type Preparer interface {
	Prepare(w window.Window, records []bloodhound.Record) (write func(context.Context) (checkpoint.Receipt, error), err error)
}

// Store is the stream's position. Load answers checkpoint.ErrNotFound for a new stream; Commit answers
// checkpoint.ErrConflict when somebody else committed first.
type Store interface {
	Load(ctx context.Context) (checkpoint.Stored, error)
	Commit(ctx context.Context, prev checkpoint.Stored, next checkpoint.Checkpoint) (checkpoint.Stored, error)
	Acquire(ctx context.Context) (*checkpoint.Lease, error)
}
