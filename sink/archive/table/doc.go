// Package table makes the SQL for an archive: the table in the dialect of each engine that can read it, the views over the
// table, and the questions of an auditor. It is the one place that knows how an engine sees the archive. It runs nothing.
//
// The views and the questions name the table's partitions, tenant and dt, in each join and each group. So a question about one
// day reads only the objects of that day and of one neighbouring day, even in a large archive.
package table
