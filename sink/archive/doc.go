// Package archive is the sink that keeps records as objects in a bucket, one for each window and day.
//
//	audit/tenant=<tenant>/dt=<YYYY-MM-DD of created_at, UTC>/<window start as 20060102T150405.000000Z>.parquet
//
// The key does not depend on the window's end. If Houndtrail wrote an object and its commit failed, the next attempt finds that
// object and replaces it. So a reader of the bucket sees every record once, even after a crash. A late record goes to its own
// day's partition. A window of a later pass has -<pass> after its start.
//
// A window that does not fit into memory comes in parts, and each part makes its own object. The objects of a day after the
// first one are named <window start>.part2 and so on. A retry may cut the window elsewhere. So it replaces nothing. It leaves
// the objects of the first attempt, writes the records that are not in them, and names both in the receipt.
//
// Houndtrail replaces an object only by one that has all of its records. So no late writer can take a record out of the
// archive: neither a runner that lost its lease and goes on later, nor a backfill after the server has purged old records.
//
// The folder quarantine/ beside the archive has the bytes of elements that are no records. Package read finds out which records
// an archive holds.
package archive
