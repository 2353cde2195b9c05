// Package parquet turns records into Parquet files. It is pure: bytes go to an io.Writer, and the same records give
// the same bytes.
//
// For every query of the archive, the columns are an interface for ever: we only append columns. We never rename or reorder
// them, and never change a type. [Columns] lists them.
//
// The parts of the files, with the reasons (measured with 50,000 records of 536 bytes of JSON each):
//
//   - Compression is zstd at its fastest level: it takes half the processor time of the default level, for 2% more bytes.
//   - Columns that repeat have a dictionary. Whole numbers are delta-encoded, which saves a tenth of the file.
//   - The other strings are PLAIN. DELTA_LENGTH_BYTE_ARRAY, the library's choice, takes 2% less, but Spark 3.5.6 and 4.0.0
//     fail on pages of it.
//   - request_id and commit_id have bloom filters, 2.5 bytes a record. Without them, the query "what else did this request do"
//     would read every row group. actor_id has none, because its dictionary does the same.
//   - A column chunk has a dictionary for all of its pages or none. Most writers do that, so readers are tested with it.
//   - Rows are sorted by (created_at_us, id). The footer says so, and there is a page index.
//   - Statistics and page index have the first 64 bytes of the smallest and the greatest string. For fields they have none.
//     With whole strings, a record of 9 MB would make a footer of 18 MB, and Dremio opens no footer over 16 MiB.
//
// We read every value of such files, also with filters, with pyarrow 22.0.0, DuckDB 1.5.6 and 2.0.1, Polars 2.1.0, Trino 476,
// and Spark 3.5.6 and 4.0.0 with their vectorized reader and without it. Do not use fastparquet 2025.12.0: its decoder of
// delta-encoded numbers gives wrong times, also for files of other writers.
package parquet
