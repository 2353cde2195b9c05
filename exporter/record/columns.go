package record

import "slices"

// A Column is one of the string columns of a [Record]. It has the same name at the server, in files and in tables.
type Column struct {
	Name  string // the key in the server's JSON
	Kind  Kind
	Value func(*Record) *string // the field of a record for this column
}

// Kind describes the values of a column.
type Kind int

// These are the kinds of columns.
const (
	Repeats Kind = iota // few values, which repeat often
	Unique              // an id: hardly any value comes twice
	JSON                // JSON as the server sent it, of any length
)

// A Set is a set of columns, by their places.
type Set uint32

// All is the set of all columns. The compiler makes sure that they fit into a Set.
const All Set = 1<<len(columns) - 1

// Columns returns the string columns, in their order.
func Columns() []Column { return slices.Clone(columns[:]) }

// Of returns the set with only the column of that name. It is empty if no column has that name.
func Of(name string) Set {
	for i := range columns {
		if columns[i].Name == name {
			return At(i)
		}
	}
	return 0
}

// At returns the set with only the column at that place.
func At(i int) Set { return 1 << i }

// Has tells whether the set contains every column of c.
func (s Set) Has(c Set) bool { return s&c == c }
