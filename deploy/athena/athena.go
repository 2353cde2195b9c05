// Package athena has the questions that an auditor and an analyst ask first, each as a file of SQL for Athena. Each file runs as
// it is, after an edit of the tenant and the days. The command houndtrail query fills them in.
package athena

import "embed"

// Files are the questions, NAME.sql each, and iceberg.sql.
//
//go:embed *.sql
var Files embed.FS
