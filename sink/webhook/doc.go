// Package webhook is the sink that POSTs records to a SIEM as batches of NDJSON.
//
// # What the receiver sees
//
// One batch is one POST with Content-Type application/x-ndjson, usually gzipped. Several are on their way at a time, so that
// batches arrive in any order. Each line starts with its event_id
// (see package ndjson). The Idempotency-Key header is the batch id, the first 32 hex digits of a SHA-256 over what
// makes up the event ids: it depends on the records and the batch bounds alone, so a window that is sent again repeats the
// ids of its batches and of its events. A receiver that must not count twice drops what it knows by either of them.
//
// # What an acknowledgement means
//
// A 2xx is taken as the receiver's word that it has the batch, unless it is a web page, such as that of a single sign-on in
// front of the receiver, or does not say what [Options.Expect] demands. It is not proof of storage, and no sink can make it
// one. VictoriaLogs, for one, answers 200 and drops every line over 256 KiB (its -insert.maxLineSizeBytes), skips
// lines that it cannot parse, and may lose the last seconds when it is killed; other receivers do the like. The audit
// log sets no bound on a record's size, so raise the receiver's line limit where it has one. A line that long is always a
// batch of its own, so that it takes no other record with it. If you need proof, count event ids at the receiver, and
// send the time span again.
//
// # Failures
//
// 408, 429, 5xx and broken connections are tried again with exponential back-off and jitter, or when Retry-After says,
// until the patience of one batch is used up; a 2xx that does not count only a few times. A receiver that asks for a longer
// pause is not asked again: the error is a [PostponedError]. Each retry is a line in the log.
//
// 413 makes the parts of that one batch smaller. 400 and 422 make them smaller until the one record is alone that the receiver
// cannot read; it is named, and everything before it in its batch is delivered. Every other answer is final, as is a
// certificate that is not trusted, and a redirect: following one would hand credentials and records to a host that is not
// configured.
//
// After a failure no batch of the window is begun any more. Those on their way are awaited, with their retries; but where
// the receiver asks for a long pause, nothing is tried again. What was acknowledged is not sent again by the same [Sink],
// whichever batches that were. Another process sends all of it again, under the same event ids, and under the same batch ids
// as long as the records and the receiver's refusals are the same.
//
// # Secrets
//
// Authorization, extra headers, the URL's query and those parts of its path that do not look like plain words are taken
// for secrets. They appear in no error, not even where the receiver's own answer repeats them.
package webhook
