// Package duckdbtest reads the archive back with DuckDB, a reader that shares no code with the library that wrote it. It is a
// module of its own, because DuckDB needs cgo and 150 MB of libraries. No build of ours should have to fetch them.
package duckdbtest
