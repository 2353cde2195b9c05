// Package webhook is the sink that POSTs records to a SIEM in batches. It cuts and compresses the batches, sends them, and decides
// when to try again. Package format knows the receiver: what the body holds, what it takes, and what its answers mean.
//
// # What the receiver sees
//
// One batch is one POST, usually gzipped. Houndtrail sends several at a time, so batches arrive in any order. Each record has its
// event_id (see package ndjson). The Idempotency-Key header is the batch id: the first 32 hex digits of a SHA-256 over the
// tenant and the ids and times of the records, and nothing else. If Houndtrail sends a window again and cuts it at the same places,
// the ids of its batches are the same. The event ids always are. A receiver that must not count twice drops the batches or the
// events that it knows.
//
// # What an acknowledgement means
//
// An answer that the format accepts is taken as the receiver's word that it has the batch. It is not proof of storage, and no sink
// can make it one. VictoriaLogs, for one, answers 200 and drops every line over 256 KiB (its -insert.maxLineSizeBytes), skips
// lines that it cannot parse, and may lose the last seconds when it is killed; other receivers do the like. The audit
// log sets no bound on a record's size, so raise the receiver's limit on a line if it has one. A line that long is always a
// batch of its own, so that it takes no other record with it. If you need proof, count event ids at the receiver, and
// send the time span again.
//
// # Failures
//
// The format says what an answer means, as a [format.Class], and Houndtrail acts on that:
//
//   - Retry: it sends the batch again with exponential back-off and jitter, or when Retry-After says, until the patience of one
//     batch is used up. So it does after a broken connection. If a receiver asks for a longer pause, Houndtrail does not ask it
//     again: the error is a [PostponedError]. Each retry is a line in the log.
//   - Unexpected: it does the same, a few times only.
//   - Split: it sends that one batch in parts of fewer bytes.
//   - Narrow: it sends that one batch in parts of fewer records, until the record that the receiver refuses is alone. The error
//     names that record, and everything before it in its batch is delivered.
//   - Stop: the failure is final. So are a certificate that is not trusted, and a redirect: following one would hand credentials
//     and records to a host that is not configured.
//
// After a failure Houndtrail begins no other batch of the window. It awaits those on their way, with their retries; but if
// the receiver asks for a long pause, it tries none of them again. The same [Sink] does not send again what was acknowledged,
// whichever batches that were. Another process sends all of it again, under the same event ids, and under the same batch ids
// as long as the records and the receiver's refusals are the same.
//
// # Secrets
//
// Authorization, extra headers, the URL's query and those parts of its path that do not look like plain words are taken
// for secrets. They appear in no error, not even where the receiver's own answer repeats them.
package webhook
