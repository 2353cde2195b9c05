// Package archive is the sink that keeps records as objects in a bucket, one for each window and day.
//
//	audit/tenant=<tenant>/dt=<YYYY-MM-DD of created_at, UTC>/<window start as 20060102T150405.000000Z>.parquet
//
// The key does not depend on the window's end. So a retry after "object written, commit failed" meets the object of the
// first attempt, and replaces it: a reader of the bucket sees every record once, whatever crashed. A late record
// goes to its own day's partition. A window of a later pass has -<pass> behind its start.
//
// A window that does not fit into memory comes in parts, and each part makes an object of its own. The objects of a day after
// the first one are named <window start>.part2 and so on. A retry may cut the window elsewhere. So it replaces nothing: it leaves
// the objects of the first attempt, writes the records that are not in them, and the receipt has both.
//
// Houndtrail replaces an object only by one that has all of its records. So neither a runner that lost its lease and wakes up
// late, nor a backfill after the server has purged old records, can take a record out of the archive.
//
// Beside it, in quarantine/, are the bytes of elements that are no records. Package read finds out which records an archive
// holds.
package archive
