package table

import "github.com/houndtrail/houndtrail/sink/parquet"

// column is one column of the table, in all dialects.
type column struct{ name, comment, hive, trino, duckdb, clickhouse string }

// columns are the columns of the Parquet objects, in order, without those of the partitions.
func columns() []column {
	var out []column
	for _, c := range parquet.Columns() {
		types := map[parquet.Type]column{
			parquet.Int64:     {hive: "bigint", trino: "bigint", duckdb: "BIGINT", clickhouse: "Int64"},
			parquet.Timestamp: {hive: "timestamp", trino: "timestamp(3)", duckdb: "TIMESTAMP WITH TIME ZONE", clickhouse: "DateTime64(3, 'UTC')"},
			parquet.String:    {hive: "string", trino: "varchar", duckdb: "VARCHAR", clickhouse: "Nullable(String)"},
		}
		typed := types[c.Type]
		typed.name, typed.comment = c.Name, comment(c.Name)
		out = append(out, typed)
	}
	return out
}

// comment is the meaning of a column, for people who look at the table. A test makes sure that each column has one.
func comment(name string) string {
	switch name {
	case "id":
		return "the number of the record at the server; unique together with created_at_us"
	case "created_at":
		return "when the server made the record: UTC, to the millisecond"
	case "created_at_us":
		return "the same instant in microseconds since 1970: the exact one"
	case "actor_id":
		return "UUID of the user; empty if no user was logged in"
	case "actor_name":
		return "name of the user; empty if no user was logged in"
	case "actor_email":
		return "e-mail address of the user"
	case "action":
		return "the action, such as LoginAttempt; new releases add actions"
	case "fields":
		return "the details, as JSON, exactly as the server sent them"
	case "request_id":
		return "the HTTP request; all records of one request have the same"
	case "source_ip_address":
		return "X-Forwarded-For, a comma, and the peer address: only the last address is proven, the caller chooses the others"
	case "commit_id":
		return "pairs an intent with its outcome; the zero UUID pairs nothing"
	case "status":
		return "intent, success or failure"
	case tenantColumn:
		return "the tenant: name it in each query"
	case dayColumn:
		return "the UTC day of created_at, as YYYY-MM-DD: name it in each query"
	default:
		return ""
	}
}

// The partitions are columns too. dt is a text in the form of a date: dt >= '2026-03-01'. In DuckDB it is a DATE, and DuckDB
// compares it with such a text in the same way.
const (
	tenantColumn = "tenant"
	dayColumn    = "dt"
)
