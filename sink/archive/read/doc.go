// Package read reads an archive without a journal: it finds the objects of the archive, and the records in them.
//
// It also defines the form of the keys, since the writer and the reader must agree on it:
//
//	audit/tenant=<tenant>/dt=<YYYY-MM-DD of created_at, UTC>/<window start as 20060102T150405.000000Z>[-<pass>][.part<n>].parquet
//	audit/tenant=<tenant>/dt=<YYYY-MM-DD>/<earliest window start>[-<highest pass>].compact<n>.parquet
package read
