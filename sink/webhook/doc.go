// Package webhook is the sink that POSTs records to a SIEM in batches. It cuts and compresses the batches, sends them, and decides
// when to try again. Package format knows the receiver: the form of a body, its limits, and the meaning of its answers.
//
// # What the receiver sees
//
// One batch is one POST, usually gzipped. Houndtrail sends several at a time, so batches arrive in any order. Each record has its
// event_id (see package ndjson). The Idempotency-Key header is the batch id: the first 32 hex digits of a SHA-256 over the
// tenant and over the ids and times of the batch's records, in their order. It does not depend on the format, the compression or
// other fields of the records. If Houndtrail sends a window again, the event ids are always the same. The batch ids are the same
// if Houndtrail cuts the batches at the same records. So a receiver that must not count twice drops the events that it knows. If
// it drops only the batches that it knows, it counts some records twice after Houndtrail has cut a window elsewhere.
//
// # What an acknowledgement means
//
// Houndtrail takes an answer that the format accepts as the receiver's word that it has the batch. The answer is no proof of
// storage, and no sink can make it one. VictoriaLogs, for example, answers 200 and drops every line over 256 KiB (its
// -insert.maxLineSizeBytes), skips lines that it cannot parse, and may lose the last seconds when it is killed; other receivers
// behave alike. The audit log does not bound the size of a record, so raise the receiver's limit on a line if it has one, or let
// Houndtrail cut longer records. A line that long is always a batch of its own, so that the receiver drops no other record with
// it. If you need proof, count event ids at the receiver, and send the time span again.
//
// Splunk can say later that it has indexed a batch. If the user asks for that, the batch is on its way until Splunk says so. If
// Splunk never does, Houndtrail sends the batch anew, three times at most.
//
// # Failures
//
// The format says what an answer means, as a [format.Class], and Houndtrail acts on that:
//
//   - Retry: it sends the batch again with exponential back-off and jitter, or at the time of Retry-After, until the patience of
//     one batch is used up. It does the same after a broken connection. If a receiver asks for a longer pause, Houndtrail does
//     not try again: the error is a [PostponedError]. Each retry is a line in the log.
//   - Unexpected: it does the same, a few times only.
//   - Split: it sends that one batch in parts of fewer bytes.
//   - Narrow: it sends that one batch in parts of fewer records, until the record that the receiver refuses is alone. The error
//     names that record, and everything before it in its batch is delivered.
//   - Stop: the failure is final. A certificate that is not trusted is final too, and a redirect: to follow one would hand
//     credentials and records to a host that is not configured. After a 401 it reads the credential once more, and tries again if
//     that is another one.
//
// An answer can also tell of each record. Then Houndtrail sends those alone again that may pass, and never those that the receiver
// has. A record that is refused by itself fails the window by its name, after all others of its batch are delivered. If the
// receiver refuses every record of a batch of more than ten, the error does not blame the records.
//
// Some receivers drop a record for its age or its size, while they say that they have it. So a window with a record over the
// format's age fails before its first post, and a record over its size is cut and marked.
//
// After a failure for good Houndtrail begins no other batch of the window. It waits for the answers to the requests under way,
// and tries none of these batches again. The same [Sink] does not send an acknowledged batch again if the next attempt at the
// window, or one part of that attempt, has all of its records. But if a whole window lacks one delivered record, the Sink sends
// all of it. Another process sends the whole window again, under the same event ids. The batch ids are the same too if the
// records, the settings, the parts of the window and the receiver's refusals are the same.
//
// # Secrets
//
// Package authorize has the proofs that a request may deliver. If the receiver refuses one, and there is another one by now, the
// attempt is a second POST.
//
// Authorization, tokens, signing secrets, extra headers, the URL's query and those parts of its path that do not look like plain
// words are taken for secrets. They appear in no error, not even if the receiver's own answer repeats them.
package webhook
