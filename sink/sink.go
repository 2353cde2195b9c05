// Package sink is where records go: into an archive or to a webhook. It holds what both share, which is the contract
// of exporter.Sink and the receipt.
//
// The contract, in full:
//
//   - Prepare gets the records of one window, sorted by (created_at, id), each once. Late rows, older than the window,
//     may come first.
//   - When the write that Prepare returned ends without an error, everything that its receipt names is durable at the destination: it
//     survives a crash of either side. After an error any part of it may be there.
//   - The same window start again is another attempt at the same window, with the same records or more. An archive
//     replaces what the previous attempt left; a webhook sends what was not acknowledged, or, in another process,
//     repeats everything with the same event ids, and with the same batch ids as far as the records are the same.
//   - A window whose records do not fit into memory comes part by part, to WriteParts. One part is durable before the next one
//     is asked for. The next attempt may cut the parts elsewhere, or get the window as a whole if the sink tells of no parts: each
//     record is in one object of the receipt all the same, or at a receiver, which cannot be asked, under the same event id.
//   - Temporary failures are retried inside. What comes back is final for this cycle, and says what was tried, on what,
//     and what to do next.
//   - A sink does not keep the records past Prepare: their memory is used again, so that while the sink writes one window the
//     memory of the next one is all there is.
//   - A sink is used by one stream. Several windows are prepared and written at the same time; another attempt at a window
//     begins once the previous one has returned.
package sink

import (
	"crypto/sha256"
	"encoding/hex"
	"iter"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/record"
)

// A Stamp is what a receipt needs to know of a record, which is gone by the time that it is delivered.
type Stamp struct {
	ID        int64
	CreatedAt time.Time
}

// StampOf returns the record's.
func StampOf(r *record.Record) Stamp { return Stamp{r.ID, r.CreatedAt} }

// Object is the line of a receipt for a body of that many bytes and with that sum, which holds those records, of which
// there is at least one, in their order.
func Object(key string, bytes int, sum [sha256.Size]byte, records iter.Seq[Stamp]) checkpoint.Object {
	o := checkpoint.Object{Key: key, Bytes: int64(bytes), SHA256: hex.EncodeToString(sum[:])}
	for r := range records {
		o = Joined(o, r)
	}
	return o
}

// Joined is the line of a receipt once another record of the object is counted in.
func Joined(o checkpoint.Object, r Stamp) checkpoint.Object {
	at := r.CreatedAt.UTC()
	if o.Records == 0 {
		o.MinID, o.MaxID, o.MinCreatedAt, o.MaxCreatedAt = r.ID, r.ID, at, at
	}
	o.Records++
	o.MinID, o.MaxID = min(o.MinID, r.ID), max(o.MaxID, r.ID)
	if at.Before(o.MinCreatedAt) {
		o.MinCreatedAt = at
	}
	if at.After(o.MaxCreatedAt) {
		o.MaxCreatedAt = at
	}
	return o
}
