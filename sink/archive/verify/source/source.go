// Package source compares an archive with the server that it came from: for each day (UTC), how many records the archive has, by its
// journals, and how many the server counts now.
//
// The server's count obeys one filter on created_at, and ignores before and after (exporter/bloodhound). So Compare asks how many
// records are older than the ends of each day, and subtracts. New records do not change such a count, since they are newer than all
// days that are compared. If the server drops old records or gains late ones while it counts, Compare sees it in a count that it
// repeats, and counts that part again. If that does not help, it knows bounds only, and says so.
//
// Equal numbers say that no record is missing. They do not say that the records are the same ones: verify --read compares the archive
// with the journals, and the journals tell the SHA-256 of each delivered object.
//
// Compare asks one question at a time. It holds a few numbers for each day, and of a day that lacks records the ids of that day.
package source

import (
	"context"
	"errors"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/exporter/record"
)

// ErrUncounted says that the server did not count what it was asked for, so that the comparison claims nothing.
var ErrUncounted = errors.New("the server could not be compared with the archive")

// ErrFiles says that files of the archive could not be read.
var ErrFiles = errors.New("the archive could not be read")

// A Server is the audit log. Its errors are final: it has retried each request that may succeed later.
type Server interface {
	// CountBefore returns how many records the server counts that were created before an instant. known is false if the server tells
	// no count.
	CountBefore(ctx context.Context, t time.Time) (n int64, known bool, err error)
	// Read calls use for the records with from <= created_at < until, part by part. A record may come twice.
	Read(ctx context.Context, from, until time.Time, use func([]record.Record) error) error
}

// Options say what to compare.
type Options struct {
	Server Server
	Name   string        // of the server, for people; no secret
	Files  bucket.Opener // the archive's
	// Since and Until bound the days; zero is no bound.
	Since, Until time.Time
	// Now is the time by the earlier one of the server's clock and ours.
	Now time.Time
	// Due is the time before which a run had to have delivered everything by now; zero if the stream's own position is enough.
	Due time.Time
	// Overlap is how far before its position a run looks back. A late record of that time is not missing before the next run.
	Overlap time.Duration
	// Progress is told how many of how many units of time are compared.
	Progress func(done, all int64)
}

// A State says how a day stands.
type State string

// The states of a day.
const (
	Equal       State = "equal"        // the archive has as many records as the server counts
	Missing     State = "missing"      // the archive lacks records
	More        State = "more"         // the archive has more: the server has lost a part, or dropped it
	Dropped     State = "dropped"      // the server has no record any more that is as old
	Explained   State = "explained"    // the journal says why records are not in the archive
	Pending     State = "pending"      // the next run may still deliver the difference
	NotCompared State = "not-compared" // the journal says why the numbers of that day cannot be compared
	Uncounted   State = "uncounted"    // the server's counts leave open whether records are missing
)

// A Day is a day of the archive beside the same day at the server.
type Day struct {
	Day     string `json:"day"` // in UTC: 2026-03-01
	State   State  `json:"state"`
	Archive int64  `json:"archive"` // records
	// AtLeast and AtMost are the server's records. They differ only if the server gained or lost old records while it counted.
	AtLeast int64   `json:"server_at_least"`
	AtMost  int64   `json:"server_at_most"`
	Missing int64   `json:"missing,omitempty"`     // records that the archive lacks, at least
	IDs     []int64 `json:"missing_ids,omitempty"` // some of them
	Why     string  `json:"why,omitempty"`

	number int64
}

// A Result is a comparison.
type Result struct {
	Server string    `json:"server"`
	At     time.Time `json:"at"`              // Options.Now
	From   time.Time `json:"from,omitzero"`   // the time that was compared begins
	Until  time.Time `json:"until,omitzero"`  // and ends
	Cursor time.Time `json:"cursor,omitzero"` // the stream's position
	// Days are those with a record on either side, in order. On all other days, neither side has one.
	Days []Day `json:"days"`
	// Before and After are the server's records of the times before and after the compared one, as far as no option excludes them.
	Before int64 `json:"before,omitempty"`
	After  int64 `json:"after,omitempty"`
}

// Of is how many days have a state.
func (r *Result) Of(s State) (days int) {
	for i := range r.Days {
		if r.Days[i].State == s {
			days++
		}
	}
	return days
}
