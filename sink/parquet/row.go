package parquet

import (
	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"houndtrail/exporter/bloodhound"
)

// row is the schema: its fields are the columns, in order.
//
// Its strings point into the record, because for a plain string that is optional the library writes "" as NULL, and
// here they differ: "" is what the server said, NULL that it said nothing.
type row struct {
	ID          int64   `parquet:"id,delta"`
	CreatedAt   int64   `parquet:"created_at,timestamp(millisecond),delta"`
	CreatedAtUS int64   `parquet:"created_at_us,delta"`
	ActorID     *string `parquet:"actor_id,dict"`
	ActorName   *string `parquet:"actor_name,dict"`
	ActorEmail  *string `parquet:"actor_email,dict"`
	Action      *string `parquet:"action,dict"`
	Fields      *string `parquet:"fields,plain"`
	RequestID   *string `parquet:"request_id,plain"`
	SourceIP    *string `parquet:"source_ip_address,dict"`
	CommitID    *string `parquet:"commit_id,plain"`
	Status      *string `parquet:"status,dict"`
}

// point makes the row one of the record, for as long as the record lives.
func (w *row) point(r *bloodhound.Record) {
	w.ID = r.ID
	w.CreatedAt = r.CreatedAt.UnixMilli() // rounds down, before the epoch too
	w.CreatedAtUS = r.CreatedAt.UnixMicro()
	w.ActorID = present(r, bloodhound.ActorID, &r.ActorID)
	w.ActorName = present(r, bloodhound.ActorName, &r.ActorName)
	w.ActorEmail = present(r, bloodhound.ActorEmail, &r.ActorEmail)
	w.Action = present(r, bloodhound.Action, &r.Action)
	w.Fields = present(r, bloodhound.Fields, &r.Fields)
	w.RequestID = present(r, bloodhound.RequestID, &r.RequestID)
	w.SourceIP = present(r, bloodhound.SourceIP, &r.SourceIP)
	w.CommitID = present(r, bloodhound.CommitID, &r.CommitID)
	w.Status = present(r, bloodhound.Status, &r.Status)
}

// size is how many bytes a record's strings take in the columns, before compression and dictionaries.
func size(r *bloodhound.Record) int {
	return len(r.ActorID) + len(r.ActorName) + len(r.ActorEmail) + len(r.Action) + len(r.Fields) + len(r.RequestID) +
		len(r.SourceIP) + len(r.CommitID) + len(r.Status)
}

// texts are the row's strings: the columns from firstText on.
func (w *row) texts() [textColumns]*string {
	return [...]*string{
		w.ActorID, w.ActorName, w.ActorEmail, w.Action, w.Fields, w.RequestID, w.SourceIP, w.CommitID, w.Status,
	}
}

// Where the strings are among the columns.
const (
	firstText   = 3
	fieldsText  = 4 // among the strings
	textColumns = 9
)

// present is nil, which is NULL, where the server sent no such column.
func present(r *bloodhound.Record, column bloodhound.Columns, value *string) *string {
	if r.Absent.Has(column) {
		return nil
	}
	return value
}

// A Column is one column of the files, as a table over them declares it.
type Column struct {
	Name     string
	Type     Type
	Required bool // never NULL
}

// Type is what a column holds.
type Type int

// The types of columns.
const (
	Int64     Type = iota // signed, 64 bits
	Timestamp             // an instant in UTC, to the millisecond
	String                // UTF-8
)

// Columns are the columns of the files, in order. They are read from the schema that the files are written with, so
// that a table made from them cannot differ.
func Columns() []Column {
	fields := pq.SchemaOf(row{}).Fields()
	columns := make([]Column, len(fields))
	for i, f := range fields {
		columns[i] = Column{Name: f.Name(), Type: Int64, Required: f.Required()}
		switch f.Type().LogicalType().Value.(type) {
		case *format.TimestampType:
			columns[i].Type = Timestamp
		case *format.StringType:
			columns[i].Type = String
		}
	}
	return columns
}
