package parquet

import (
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"github.com/houndtrail/houndtrail/exporter/record"
)

// A Column is one column of the files, as a table over them declares it.
type Column struct {
	Name     string
	Type     Type
	Required bool // never NULL
}

// Type is the type of a column's values.
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

// A column can find its value in a record, and write it.
type column struct {
	Column

	number func(*record.Record) int64 // for the types that are numbers

	text func(*record.Record) *string // for strings
	kind record.Kind
	set  record.Set // the column's own bit, which tells whether it is absent
}

// New columns may only be appended to columns. "" means that the server sent "". NULL means that it sent no value.
//
//nolint:gochecknoglobals // a constant
var columns = func() []column {
	all := []column{
		{Column: Column{"id", Int64, true}, number: func(r *record.Record) int64 { return r.ID }},
		// This rounds down, also before the epoch.
		{Column: Column{"created_at", Timestamp, true}, number: func(r *record.Record) int64 { return r.CreatedAt.UnixMilli() }},
		{Column: Column{"created_at_us", Int64, true}, number: func(r *record.Record) int64 { return r.CreatedAt.UnixMicro() }},
	}
	for i, c := range record.Columns() {
		all = append(all, column{Column: Column{c.Name, String, false}, text: c.Value, kind: c.Kind, set: record.At(i)})
	}
	return all
}()

// sorting is the order of the rows: by created_at_us, then by id.
//
//nolint:gochecknoglobals // a constant
var sorting = []format.SortingColumn{{ColumnIdx: 2}, {ColumnIdx: 0}}

// repeats tells that the column has a dictionary.
func (c *column) repeats() bool { return c.Type == String && c.kind == record.Repeats }

// bloom tells that the column has a bloom filter.
func (c *column) bloom() bool { return c.Type == String && c.kind == record.Unique }

// ranged tells that a query may ask for a range of the column's values. No query asks for a range of JSON.
func (c *column) ranged() bool { return c.Type != String || c.kind != record.JSON }

// value is the record's value. It is nil, which is NULL, if the server sent no such column.
func (c *column) value(r *record.Record) *string {
	if r.Absent.Has(c.set) {
		return nil
	}
	return c.text(r)
}

// element is the column as an element of the schema.
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

// size is how many bytes a record's strings take, before compression and dictionaries.
func size(r *record.Record) (n int) {
	for i := range columns {
		if c := &columns[i]; c.Type == String {
			n += len(*c.text(r))
		}
	}
	return n
}
