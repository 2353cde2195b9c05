// Package parquet turns records into Parquet files. It is pure: bytes go to an io.Writer, and the same records give
// the same bytes.
//
// The columns are an interface to everybody who will ever query the archive: they are only ever appended to, never
// renamed, retyped or reordered. [Columns] lists them.
//
// What the files are made of, with the reason (measured on 50,000 records of 536 bytes of JSON each):
//
//   - Compression is zstd at its fastest level: half the processor time of the default level for 2% more bytes.
//   - Columns that repeat have a dictionary; whole numbers are delta-encoded, which saves a tenth of the file.
//   - The other strings are PLAIN. DELTA_LENGTH_BYTE_ARRAY, the library's choice, takes 2% less, but Spark 3.5.6 and 4.0.0
//     fail on pages of it.
//   - request_id and commit_id have bloom filters, 2.5 bytes a record: "what else did this request do" is the query
//     that would otherwise read every row group. actor_id has none: its dictionary serves as well.
//   - A column chunk has a dictionary for all of its pages or none, which is what most writers do and readers are tried with.
//   - Rows are sorted by (created_at_us, id), the footer says so, and there is a page index.
//   - Statistics and page index have the first 64 bytes of the least and the greatest string, and none of fields. Whole
//     ones make a footer of 18 MB of a record of 9, and Dremio opens none over 16 MiB.
//
// Every value of such files, and filters on them, were read back with pyarrow 22.0.0, DuckDB 1.5.6 and 2.0.1, Polars 2.1.0,
// Trino 476, and Spark 3.5.6 and 4.0.0 with their vectorized reader and without. fastparquet 2025.12.0 is not to be used: its
// decoder of delta-encoded numbers gives wrong times, for files of other writers too.
package parquet
