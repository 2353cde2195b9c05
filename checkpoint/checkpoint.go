// Package checkpoint keeps the position of a stream as a journal of immutable, hash-chained entries.
//
// One commit is one new object, <prefix>/<stream>/<serial, 20 digits>.json, created only if it is absent: of two
// writers exactly one wins a serial. Nothing is ever rewritten, so the journal works in a bucket with Object Lock and
// reads like a log. A lease object beside it keeps a second writer away and says what its holder is about to write.
package checkpoint

import (
	"context"
	"errors"
	"time"
)

// Format is the journal format that this package writes and the only one that it reads.
const Format = 1

// What can go wrong with a journal, to be tested with errors.Is. The errors that carry them say what to do.
var (
	// ErrNotFound: the stream has no entry yet.
	ErrNotFound = errors.New("no checkpoint yet")
	// ErrConflict: somebody else committed the serial first.
	ErrConflict = errors.New("commit conflict")
	// ErrLeaseHeld: another runner holds the lease.
	ErrLeaseHeld = errors.New("lease held by another runner")
	// ErrForeign: the checkpoint belongs to another source, destination or stream.
	ErrForeign = errors.New("journal of another stream")
	// ErrCorrupt: an entry is unreadable, of an unknown format, missing, or breaks the hash chain.
	ErrCorrupt = errors.New("journal corrupt")
)

// Checkpoint is one journal entry: what was read and written, and where the stream stands after it.
type Checkpoint struct {
	Format         int    `json:"format"`
	Stream         string `json:"stream"`
	Lineage        string `json:"lineage"`         // UUID drawn at the stream's first entry, and at each accepted reset
	Epoch          uint64 `json:"epoch,omitempty"` // serial of the reset that began the lineage; 0 for the first one
	Serial         uint64 `json:"serial"`          // 1 for the first entry
	PreviousSHA256 string `json:"previous_sha256"` // of the bytes of the entry before; "" in the first

	Source      string `json:"source"`
	Destination string `json:"destination"`

	Window Window    `json:"window"`
	Cursor time.Time `json:"cursor"` // everything before it is delivered
	MaxID  int64     `json:"max_id"` // highest id that the lineage delivered
	// Newest is the latest record that the lineage delivered; nil where there is none. A source that has gone on from
	// where it was still has it.
	Newest *Record `json:"newest,omitempty"`
	// Delivered is the serialised set of the delivered ids with created_at >= DeliveredSince. Nobody may look for late
	// rows before that: it would not know them from delivered ones.
	Delivered      []byte    `json:"delivered"`
	DeliveredSince time.Time `json:"delivered_since"`
	// RescannedAt is when the last days were last searched for stragglers, or else when the stream began.
	RescannedAt time.Time `json:"rescanned_at,omitzero"`
	Records     Counts    `json:"records"`
	// ServerCount is nil in entries of before it was kept.
	ServerCount *ServerCount `json:"server_count,omitempty"`
	Objects     []Object     `json:"objects"`

	// Reset is in the entry that begins a lineage anew, and nil in all others.
	Reset *Reset `json:"reset,omitempty"`

	Oldest Sighting `json:"oldest,omitzero"` // the oldest record at the source, as it was seen last

	Writer      Writer    `json:"writer"`
	CommittedAt time.Time `json:"committed_at"`
}

// What an entry is for, in words.
const (
	KindExport  = "export"  // a window that was due
	KindRescan  = "rescan"  // a window that was read once more, in search of stragglers
	KindBarrier = "barrier" // no window: it took the serial of a commit that might still have arrived
	KindReset   = "reset"   // a person accepted another source, and a lineage begins
)

// Kind tells what the entry is for.
func (c *Checkpoint) Kind() string {
	switch {
	case c.Reset != nil:
		return KindReset
	case c.Window.Pass > c.Epoch:
		return KindRescan
	case c.Window.Start.Equal(c.Window.End):
		return KindBarrier
	default:
		return KindExport
	}
}

// A Sighting is what is known of the far end of the source's history. It is renewed about once a day, and carried from
// entry to entry in between.
type Sighting struct {
	CreatedAt time.Time `json:"created_at"` // no record that the source has is before it
	SeenAt    time.Time `json:"seen_at"`    // when that was so, by the source's clock
	// Kept and Gone are ages in seconds of the oldest record that vanished last: when it was last seen, and when it was
	// found to be gone. The source drops records at an age between the two. Both are 0 while none has vanished.
	Kept int64 `json:"kept_seconds,omitempty"`
	Gone int64 `json:"gone_seconds,omitempty"`
}

// Next is what is known once the oldest record was seen again.
func (s Sighting) Next(oldest, now time.Time) Sighting {
	next := Sighting{CreatedAt: oldest, SeenAt: now, Kept: s.Kept, Gone: s.Gone}
	if !s.SeenAt.IsZero() && oldest.After(s.CreatedAt) {
		next.Kept = int64(s.SeenAt.Sub(s.CreatedAt) / time.Second)
		next.Gone = int64(now.Sub(s.CreatedAt) / time.Second)
	}
	return next
}

// Window is the span Start <= created_at < End that an entry accounts for.
type Window struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
	// Pass is the lineage's epoch, or for a window that was read once more later on, in search of stragglers, the serial
	// that was next when that began. It is part of the keys of objects.
	Pass uint64 `json:"pass,omitempty"`
}

// Equal tells whether the two are one walk over one span.
func (w Window) Equal(other Window) bool {
	return w.Start.Equal(other.Start) && w.End.Equal(other.End) && w.Pass == other.Pass
}

// Counts says what became of the records that were read: Read = Fresh + Duplicate + Excluded.
type Counts struct {
	Read      int `json:"read"`      // rows that the server returned, each id once
	Fresh     int `json:"fresh"`     // delivered by this commit
	Duplicate int `json:"duplicate"` // delivered by an earlier one
	Late      int `json:"late"`      // new ones that are older than the window
	// Self counts new rows that are only the trace of our own polling, on servers that audit every request. They are
	// part of Fresh, or where the stream leaves them out, of Excluded.
	Self     int `json:"self,omitempty"`
	Excluded int `json:"excluded,omitempty"` // new rows that the stream was told to leave out, and never delivers
}

// News is how many rows were new and not our own doing.
func (c Counts) News() int { return c.Fresh + c.Excluded - c.Self }

// What an entry knows of the server's own count.
const (
	CountProved  = "proved"  // what was read lies within what the server counted
	CountUnknown = "unknown" // this build tells no count, or none that can be used
	CountOff     = "off"     // nobody asked
)

// ServerCount is between how many rows the server itself counted in what was read of a window, Records.Read of them:
// two counts at different times, between which rows may have come in. Where nothing was read there is one, and it is 0.
type ServerCount struct {
	Status  string `json:"status"`
	AtLeast int64  `json:"at_least"`
	AtMost  int64  `json:"at_most"`
}

// Object is one thing that the destination acknowledged: an archive object, or a webhook batch by its batch id.
type Object struct {
	Key          string    `json:"key"`
	Bytes        int64     `json:"bytes"`
	SHA256       string    `json:"sha256"`
	Records      int       `json:"records"`
	MinID        int64     `json:"min_id"`
	MaxID        int64     `json:"max_id"`
	MinCreatedAt time.Time `json:"min_created_at"`
	MaxCreatedAt time.Time `json:"max_created_at"`
}

// Record names a record of the log.
type Record struct {
	ID        int64     `json:"id"`
	CreatedAt time.Time `json:"created_at"`
}

// Reset says that a person accepted a source that is not the one it was. Nothing of before is compared with it any more.
type Reset struct {
	Lineage string `json:"lineage"` // the one that ends
	Reason  string `json:"reason"`  // as given by who accepted it
}

// Receipt lists what a sink made durable.
type Receipt struct {
	Objects []Object
}

// Writer names the program that wrote an entry.
type Writer struct {
	Version string `json:"version"`
	Host    string `json:"host"`
}

// Stored is a checkpoint as it stands in the journal. The zero value stands for "nothing yet".
type Stored struct {
	Checkpoint
	SHA256 string // of the entry's bytes; what the next entry chains to
}

// Bucket is what a journal needs of its store. Every key is relative to the store's own root.
//
// All calls are safe for concurrent use and atomic: a reader sees the old body or the new one, never a part.
// Temporary failures are retried inside; what comes back is final for this cycle, and names the object.
type Bucket interface {
	// Get returns the object's body, an opaque version of it, and how long ago it was written, by the store's own
	// clock. A missing object is fs.ErrNotExist.
	Get(ctx context.Context, key string) (body []byte, version string, age time.Duration, err error)
	// Put writes the object durably and returns its new version. With version "" it creates the object, and
	// fs.ErrExist says that there is one already; else it replaces exactly that version, and fs.ErrExist says that
	// there is another by now, fs.ErrNotExist that there is none.
	Put(ctx context.Context, key string, body []byte, version string) (string, error)
	// List returns, in ascending order, the keys that begin with prefix and sort after the key after.
	List(ctx context.Context, prefix, after string) ([]string, error)
	// Lock takes a lock that dies with the process, where the store has such a thing (flock); locked is false
	// where it has not, and the lease then lives by expiry. fs.ErrExist says that another process holds it.
	Lock(ctx context.Context, key string) (unlock func() error, locked bool, err error)
	// String names the store for people: s3://bucket/prefix or file:///dir.
	String() string
}
