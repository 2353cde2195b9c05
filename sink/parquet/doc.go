// Package parquet turns records into Parquet files. It is pure: bytes go to an io.Writer, and the same records give
// the same bytes.
//
// The columns are an interface for every query of the archive, for ever: they are only appended to, never
// renamed, retyped or reordered. [Columns] lists them.
//
// The parts of the files, with the reasons (measured on 50,000 records of 536 bytes of JSON each):
//
//   - Compression is zstd at its fastest level: half the processor time of the default level for 2% more bytes.
//   - Columns that repeat have a dictionary; whole numbers are delta-encoded, which saves a tenth of the file.
//   - The other strings are PLAIN. DELTA_LENGTH_BYTE_ARRAY, the library's choice, takes 2% less, but Spark 3.5.6 and 4.0.0
//     fail on pages of it.
//   - request_id and commit_id have bloom filters, 2.5 bytes a record: "what else did this request do" is the query
//     that would otherwise read every row group. actor_id has none: its dictionary serves as well.
//   - A column chunk has a dictionary for all of its pages or none. Most writers do that, so readers are tested with it.
//   - Rows are sorted by (created_at_us, id), the footer says so, and there is a page index.
//   - Statistics and page index have the first 64 bytes of the least and the greatest string, and none of fields. With whole
//     strings a record of 9 MB makes a footer of 18 MB, and Dremio opens no footer over 16 MiB.
//
// Every value of such files, and filters on them, were read back with pyarrow 22.0.0, DuckDB 1.5.6 and 2.0.1, Polars 2.1.0,
// Trino 476, and Spark 3.5.6 and 4.0.0 with their vectorized reader and without. Do not use fastparquet 2025.12.0: its
// decoder of delta-encoded numbers gives wrong times, for files of other writers too.
package parquet
