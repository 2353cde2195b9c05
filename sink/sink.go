// Package sink is for the destinations of records: an archive or a webhook. It has the parts that both have in common: the
// contract of exporter.Sink, and the receipt.
//
// The contract, in full:
//
//   - Prepare gets the records of one window, sorted by (created_at, id), each once. Late rows, older than the window,
//     may come first.
//   - When the write that Prepare returned ends without an error, an archive has everything that its receipt names, durably: it
//     survives a crash of Houndtrail or of the store. In the case of a webhook, the receiver has acknowledged everything. After
//     an error, a part of it may be there.
//   - If the same window start comes again, it is another attempt at the same window, with the same records or more. An archive
//     replaces the objects of the previous attempt. A webhook sends only the batches that the receiver has not acknowledged.
//     After a restart it repeats everything with the same event ids. The batch ids are the same too if it cuts the batches at
//     the same places.
//   - If the records of a window do not fit into memory, they come part by part, to WriteParts. One part is durable before
//     WriteParts asks for the next one. The lease notes that the window is in parts, so the next attempt comes in parts too. It
//     may cut them at other places. In an archive, each record is in exactly one object of the receipt. One cannot ask a
//     receiver which records it has, so there a record may be twice, under the same event id.
//   - A sink retries temporary failures itself. An error that it returns is final for this cycle. It names the step and the
//     destination, and says what to do next.
//   - After Prepare, a sink does not keep the records: the caller uses their memory again. So while a sink writes one window,
//     only the next window takes memory for records.
//   - One stream uses a sink. It prepares and writes several windows at the same time. The next attempt at a window begins only
//     after the previous one has returned.
package sink

import (
	"crypto/sha256"
	"encoding/hex"
	"iter"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/record"
)

// A Stamp has the facts of a record that a receipt needs. When the sink writes the receipt, the record itself is gone.
type Stamp struct {
	ID        int64
	CreatedAt time.Time
}

// StampOf returns the stamp of a record.
func StampOf(r *record.Record) Stamp { return Stamp{r.ID, r.CreatedAt} }

// Object is the line of a receipt for a body with that size, sum and records. The records come in their order, and there is at
// least one.
func Object(key string, bytes int, sum [sha256.Size]byte, records iter.Seq[Stamp]) checkpoint.Object {
	o := checkpoint.Object{Key: key, Bytes: int64(bytes), SHA256: hex.EncodeToString(sum[:])}
	for r := range records {
		o = Joined(o, r)
	}
	return o
}

// Joined is the line of a receipt after the object gets another record.
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
