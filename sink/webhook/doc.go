// Package webhook is the sink that POSTs records to a SIEM in batches. It cuts and compresses the batches, sends them, and decides
// when to try again. Package format knows the receiver: the form of a body, its limits, and the meaning of its answers.
//
// # What the receiver sees
//
// One batch is one POST, usually compressed by gzip. Houndtrail sends several batches at a time, so they arrive in any order. Each
// record has its event_id (see package ndjson). The Idempotency-Key header is the batch id: the first 32 hex digits of a SHA-256.
// The SHA-256 covers the tenant, and the ids and times of the batch's records in their order. It does not depend on the format, on
// the compression, or on other fields of the records.
//
// If Houndtrail sends a window again, the event ids are always the same. The batch ids are the same if Houndtrail cuts the batches
// at the same records. So a receiver that must not count a record twice drops the events that it knows. A receiver that drops only
// the batches that it knows counts some records twice if Houndtrail has cut a window at other records.
//
// # What an acknowledgement means
//
// If the format accepts an answer, Houndtrail takes it as the receiver's word that it has the batch. The answer is no proof of
// storage, and no sink can make it one. VictoriaLogs, for example, answers 200 and drops every line over 256 KiB (its
// -insert.maxLineSizeBytes). It skips lines that it cannot parse. It may lose the records of the last seconds when another process
// kills it. Other receivers do the same.
//
// The audit log does not limit the size of a record. So if the receiver has a limit on a line, raise it, or let Houndtrail cut
// longer records. A line that long is always a batch by itself, so that the receiver drops no other record with it. If you need
// proof, count event ids at the receiver, and send the time span again.
//
// Splunk can say later that it has indexed a batch. If the user asks for that, the batch is in flight until Splunk says so. If
// Splunk never says so, Houndtrail sends the batch again, three times at most.
//
// # Failures
//
// The format says what an answer means, as a [format.Class], and Houndtrail acts on that:
//
//   - Retry: it sends the batch again with exponential back-off and jitter, or at the time of Retry-After, until the patience for
//     one batch ends. It does the same after a broken connection. If a receiver asks for a longer pause, Houndtrail does not try
//     again: the error is a [PostponedError]. Each retry is a line in the log.
//   - Unexpected: it does the same, but only a few times.
//   - Split: it sends this batch in parts of fewer bytes.
//   - Narrow: it sends this batch in parts of fewer records, until the record that the receiver refuses is alone. The error names
//     that record, and everything before it in its batch is delivered.
//   - Stop: the failure is final. An untrusted certificate is final too, and so is a redirect: to follow it would give credentials
//     and records to a host that the user has not configured. After a 401 or a 403, Houndtrail reads the credential once more. It
//     tries again if the credential is another one.
//
// An answer can also speak of each record. Then Houndtrail sends only the records again that may pass, and never those that the
// receiver has. If the receiver refuses a record for its content, the window fails. The error names the record, and Houndtrail
// delivers all others of the batch first. If the receiver refuses every record of a batch of more than ten, the error does not
// blame the records.
//
// Some receivers drop a record for its age or its size, but say that they have it. So if a window has a record over the format's
// age, it fails before its first post. If a record is over the format's size, Houndtrail cuts and marks it.
//
// After a failure for good, Houndtrail begins no other batch of the window. It waits for the answers to the requests under way, and
// tries none of these batches again. If the next attempt at the window, or one part of that attempt, has all records of an
// acknowledged batch, the same [Sink] does not send this batch again. But if a whole window lacks one delivered record, the Sink
// sends all of the window.
//
// Another process sends the whole window again, under the same event ids. The batch ids are the same too if the records, the settings,
// the parts of the window and the receiver's refusals are the same. With a [taken.Memory], it leaves out each batch that the receiver
// has taken before, if every byte of the body is the same. A crash after an acknowledgement, and before its note, repeats the batch.
//
// # Secrets
//
// Package authorize has the proofs that a request may deliver. If the receiver refuses one, and Houndtrail has another one by now,
// the attempt makes a second POST.
//
// Houndtrail treats these texts as secrets: Authorization, tokens, signing secrets, extra headers, the URL's query, and those parts
// of its path that do not look like plain words. No error shows them, not even if the receiver's own answer repeats them.
package webhook
