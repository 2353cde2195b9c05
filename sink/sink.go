// Package sink is where records go: into an archive or to a webhook. It holds what both share, which is the contract
// of exporter.Sink and the receipt.
//
// The contract, in full:
//
//   - Write gets the records of one window, sorted by (created_at, id), each once. Late rows, older than the window,
//     may come first.
//   - When Write returns without an error, everything that its receipt names is durable at the destination: it
//     survives a crash of either side. After an error any part of it may be there.
//   - The same window start again is another attempt at the same window, with the same records or more. An archive
//     replaces what the attempt before left; a webhook repeats it with the same event ids, and with the same batch
//     ids as far as the records are the same.
//   - Temporary failures are retried inside. What comes back is final for this cycle, and says what was tried, on what,
//     and what to do next.
//   - Write does not keep the records: their memory is used again.
//   - A sink is used by one stream, one Write at a time.
package sink

import (
	"crypto/sha256"
	"encoding/hex"

	"houndtrail/checkpoint"
	"houndtrail/exporter/bloodhound"
)

// Object is the line of a receipt for a body of that many bytes and with that sum, which holds the records, of which
// there is at least one.
func Object(key string, bytes int, sum [sha256.Size]byte, records []bloodhound.Record) checkpoint.Object {
	o := checkpoint.Object{
		Key: key, Bytes: int64(bytes), SHA256: hex.EncodeToString(sum[:]), Records: len(records),
		MinID: records[0].ID, MaxID: records[0].ID,
		MinCreatedAt: records[0].CreatedAt.UTC(), MaxCreatedAt: records[len(records)-1].CreatedAt.UTC(),
	}
	for i := range records {
		o.MinID, o.MaxID = min(o.MinID, records[i].ID), max(o.MaxID, records[i].ID)
	}
	return o
}
