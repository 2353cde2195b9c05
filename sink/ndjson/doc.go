// Package ndjson turns records into lines of JSON. It is pure, and the same records give the same bytes.
//
// A line is the record exactly as the server sent it, with two keys before it that the server does not send:
//
//	{"event_id":"<tenant>/<id>/<created_at_us>","tenant":"<tenant>","id":123,"created_at":"...", ...}
//
// A stream that pairs intents with their outcomes adds "started_at" and "duration_ms" to an outcome, and "unpaired":true to an intent
// that it sends alone.
//
// The event id names a record for ever. If a receiver sees a record twice, it can drop the second one by this id.
package ndjson
