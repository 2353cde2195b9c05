// Package duckdbtest reads the archive back with DuckDB, a reader that has nothing in common with the library that
// wrote it. It is a module of its own because DuckDB needs cgo and 150 MB of libraries, which no build of ours should
// have to fetch.
package duckdbtest
