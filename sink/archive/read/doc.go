// Package read is what an archive says of itself, without a journal: which objects it has, and which records are in
// them.
//
// It also holds how keys are formed, since the writer and the reader must agree on them:
//
//	audit/tenant=<tenant>/dt=<YYYY-MM-DD of created_at, UTC>/<window start as 20060102T150405.000000Z>[-<pass>][.part<n>].parquet
package read
