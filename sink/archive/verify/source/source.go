// Package source compares an archive with the server that it came from. For each day (UTC), it compares the number of the archive's
// records, by its journals, with the number that the server counts now.
//
// The server's count obeys one filter on created_at, and ignores before and after (exporter/bloodhound). So Compare asks how many
// records are older than the ends of each day, and subtracts. New records do not change such a count, because they are newer than
// all compared days. The server may drop old records or gain late ones while it counts. A repeated count shows that, and Compare
// counts that part again. If that does not help, Compare knows only bounds, and says so.
//
// Equal numbers say that no record is missing. They do not say that the records are the same ones. For that, verify --read compares
// the archive with the journals, and the journals tell the SHA-256 of each delivered object.
//
// Compare asks one question at a time. It keeps a few numbers for each day. If a day lacks records, it also keeps the ids of that
// day.
package source

import (
	"context"
	"errors"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/exporter/record"
)

// ErrUncounted says that the server did not count the records of a time, so the comparison claims nothing about it.
var ErrUncounted = errors.New("the server could not be compared with the archive")

// ErrFiles says that files of the archive could not be read.
var ErrFiles = errors.New("the archive could not be read")

// A Server is the audit log. Its errors are final: it has retried each request that may succeed later.
type Server interface {
	// CountBefore returns the number of records that were created before an instant, by the server's count. known is false if the
	// server tells no count.
	CountBefore(ctx context.Context, t time.Time) (n int64, known bool, err error)
	// Read calls use for the records with from <= created_at < until, part by part. A record may come twice.
	Read(ctx context.Context, from, until time.Time, use func([]record.Record) error) error
}

// Options say what to compare.
type Options struct {
	Server Server
	Name   string        // the server's name, for people; no secret
	Files  bucket.Opener // the store of the archive
	// Since and Until bound the days; zero is no bound.
	Since, Until time.Time
	// Now is the time by the earlier one of two clocks: the server's clock and ours.
	Now time.Time
	// Due is the time up to which a run had to deliver all records by now; zero if the stream's own position is enough.
	Due time.Time
	// Overlap is the time before its position that a run reads again. A late record of that time is not missing before the next run.
	Overlap time.Duration
	// Progress gets the number of compared units of time, and the number of all units so far.
	Progress func(done, all int64)
}

// A State is the result for a day.
type State string

// The states of a day.
const (
	Equal       State = "equal"        // the archive has as many records as the server counts
	Missing     State = "missing"      // the archive lacks records
	More        State = "more"         // the archive has more: the server has lost or dropped a part
	Dropped     State = "dropped"      // the server no longer has records that are so old
	Explained   State = "explained"    // the journal says why records are not in the archive
	Pending     State = "pending"      // the next run may still deliver the difference
	NotCompared State = "not-compared" // the journal says why that day cannot be compared
	Uncounted   State = "uncounted"    // the server's counts do not tell whether records are missing
)

// A Day is a day of the archive, with the same day of the server.
type Day struct {
	Day     string `json:"day"` // in UTC: 2026-03-01
	State   State  `json:"state"`
	Archive int64  `json:"archive"` // records
	// AtLeast and AtMost are bounds of the server's number of records. They differ only if the server gained or lost old records while
	// it counted.
	AtLeast int64   `json:"server_at_least"`
	AtMost  int64   `json:"server_at_most"`
	Missing int64   `json:"missing,omitempty"`     // the least number of records that the archive lacks
	IDs     []int64 `json:"missing_ids,omitempty"` // some of their ids
	Why     string  `json:"why,omitempty"`

	number int64
}

// A Result is a comparison.
type Result struct {
	Server string    `json:"server"`
	At     time.Time `json:"at"`              // Options.Now
	From   time.Time `json:"from,omitzero"`   // the beginning of the compared time
	Until  time.Time `json:"until,omitzero"`  // its end
	Cursor time.Time `json:"cursor,omitzero"` // the stream's position
	// Days are the days with a record on either side, in order. On all other days, neither side has one.
	Days []Day `json:"days"`
	// Before and After are the numbers of the server's records before and after the compared time, if no option excludes them.
	Before int64 `json:"before,omitempty"`
	After  int64 `json:"after,omitempty"`
}

// Of is the number of days with a state.
func (r *Result) Of(s State) (days int) {
	for i := range r.Days {
		if r.Days[i].State == s {
			days++
		}
	}
	return days
}
