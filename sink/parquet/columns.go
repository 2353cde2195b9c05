package parquet

import (
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"github.com/houndtrail/houndtrail/exporter/bloodhound"
)

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

// Columns are the columns of the files, in order.
func Columns() []Column {
	all := make([]Column, len(columns))
	for i := range columns {
		all[i] = columns[i].Column
	}
	return all
}

// A column knows where its values are in a record, and how they are written.
type column struct {
	Column

	number func(*bloodhound.Record) int64 // of the types that are numbers

	text    func(*bloodhound.Record) *string // of strings
	bit     bloodhound.Columns               // that they are absent
	repeats bool                             // a dictionary holds the values
	bloom   bool                             // a bloom filter tells which values are there
}

// columns may only be appended to. "" is what the server said, NULL that it said nothing.
//
//nolint:gochecknoglobals // a constant
var columns = [...]column{
	{Column: Column{"id", Int64, true}, number: func(r *bloodhound.Record) int64 { return r.ID }},
	// Rounds down, before the epoch too.
	{Column: Column{"created_at", Timestamp, true}, number: func(r *bloodhound.Record) int64 { return r.CreatedAt.UnixMilli() }},
	{Column: Column{"created_at_us", Int64, true}, number: func(r *bloodhound.Record) int64 { return r.CreatedAt.UnixMicro() }},
	repeating("actor_id", bloodhound.ActorID, func(r *bloodhound.Record) *string { return &r.ActorID }),
	repeating("actor_name", bloodhound.ActorName, func(r *bloodhound.Record) *string { return &r.ActorName }),
	repeating("actor_email", bloodhound.ActorEmail, func(r *bloodhound.Record) *string { return &r.ActorEmail }),
	repeating("action", bloodhound.Action, func(r *bloodhound.Record) *string { return &r.Action }),
	{Column: Column{"fields", String, false}, bit: bloodhound.Fields, text: func(r *bloodhound.Record) *string { return &r.Fields }},
	unique("request_id", bloodhound.RequestID, func(r *bloodhound.Record) *string { return &r.RequestID }),
	repeating("source_ip_address", bloodhound.SourceIP, func(r *bloodhound.Record) *string { return &r.SourceIP }),
	unique("commit_id", bloodhound.CommitID, func(r *bloodhound.Record) *string { return &r.CommitID }),
	repeating("status", bloodhound.Status, func(r *bloodhound.Record) *string { return &r.Status }),
}

// sorting says how the rows are sorted: by created_at_us, then by id.
//
//nolint:gochecknoglobals // a constant
var sorting = []format.SortingColumn{{ColumnIdx: 2}, {ColumnIdx: 0}}

func repeating(name string, bit bloodhound.Columns, text func(*bloodhound.Record) *string) column {
	return column{Column: Column{name, String, false}, bit: bit, text: text, repeats: true}
}

func unique(name string, bit bloodhound.Columns, text func(*bloodhound.Record) *string) column {
	return column{Column: Column{name, String, false}, bit: bit, text: text, bloom: true}
}

// value is nil, which is NULL, where the server sent no such column.
func (c *column) value(r *bloodhound.Record) *string {
	if r.Absent.Has(c.bit) {
		return nil
	}
	return c.text(r)
}

// ranged tells that a range of values may be asked for. No query asks for one of JSON.
func (c *column) ranged() bool { return c.bit != bloodhound.Fields }

// element is the column in the schema.
func (c *column) element() format.SchemaElement {
	e := format.SchemaElement{Name: c.Name, RepetitionType: thrift.New(format.Optional)}
	if c.Required {
		e.RepetitionType.V = format.Required
	}
	switch c.Type {
	case Int64:
		e.Type, e.ConvertedType = thrift.New(format.Int64), thrift.New(deprecated.Int64)
		e.LogicalType.Value = &format.IntType{BitWidth: 64, IsSigned: true}
	case Timestamp:
		e.Type, e.ConvertedType = thrift.New(format.Int64), thrift.New(deprecated.TimestampMillis)
		e.LogicalType.Value = &format.TimestampType{IsAdjustedToUTC: true, Unit: format.TimeUnit{Value: &format.MilliSeconds{}}}
	case String:
		e.Type, e.ConvertedType = thrift.New(format.ByteArray), thrift.New(deprecated.UTF8)
		e.LogicalType.Value = &format.StringType{}
	}
	return e
}

// size is how many bytes a record's strings take in the columns, before compression and dictionaries.
func size(r *bloodhound.Record) int {
	return len(r.ActorID) + len(r.ActorName) + len(r.ActorEmail) + len(r.Action) + len(r.Fields) + len(r.RequestID) +
		len(r.SourceIP) + len(r.CommitID) + len(r.Status)
}
