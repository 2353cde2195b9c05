// Package archive is the sink that keeps records as objects in a bucket, one for each window and day.
//
//	audit/tenant=<tenant>/dt=<YYYY-MM-DD of created_at, UTC>/<window start as 20060102T150405.000000Z>.parquet
//
// The key depends on the window's start only. A retry after "object written, commit failed" therefore meets what the
// first attempt left, and replaces it: a reader of the bucket sees every record once, whatever crashed. A late record
// goes to its own day's partition.
//
// A window that does not fit into memory comes in parts, each of which makes an object of its own: those of a day after the
// first one are named <window start>.part2 and so on. A retry may cut it elsewhere. So it replaces nothing: it leaves what is
// there, writes the records that are not in it, and the receipt has both.
//
// An object is only ever replaced by one that has all of its records, and more. So neither a runner that lost its
// lease and wakes up late, nor a backfill after the server has purged old records, can take anything out of the archive.
//
// Beside it, in quarantine/, are the bytes of what is no record. Package read finds out what an archive holds.
package archive
