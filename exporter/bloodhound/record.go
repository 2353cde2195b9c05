package bloodhound

import (
	"cmp"
	"slices"
	"time"
)

// A Record is one entry of the audit log, as the server told it.
//
// Its strings may be views into the page that it came with: they hold until the
// [Batch] that carries it is released. A caller that keeps a Record longer clones it.
type Record struct {
	// ID comes from one database sequence: positive, with gaps, and not in the order of CreatedAt.
	ID int64
	// CreatedAt is the API process's clock before the insert, in UTC, to the microsecond.
	CreatedAt time.Time

	ActorID    string // user UUID, or "" if no user was logged in
	ActorName  string
	ActorEmail string
	Action     string // an open set: every release adds to it
	Fields     string // the JSON text exactly as served; Absent if it was null
	RequestID  string
	SourceIP   string // may be a chain: X-Forwarded-For, a comma, the peer
	CommitID   string // one value for an intent and its outcome; not a key
	Status     string // intent, success, failure or ""

	// Raw is the whole JSON object exactly as served.
	Raw string
	// Absent says which of the strings above were null or missing, which is not the same as "".
	Absent Columns
}

// Columns is a set of the string columns of a [Record].
type Columns uint16

// The columns that can be absent.
const (
	ActorID Columns = 1 << iota
	ActorName
	ActorEmail
	Action
	Fields
	RequestID
	SourceIP
	CommitID
	Status

	allColumns = Status<<1 - 1
)

// Has tells whether the set contains every column of c.
func (s Columns) Has(c Columns) bool { return s&c == c }

// Compare orders records by (CreatedAt, ID), the order in which they are written.
func Compare(a, b *Record) int {
	if c := a.CreatedAt.Compare(b.CreatedAt); c != 0 {
		return c
	}
	return cmp.Compare(a.ID, b.ID)
}

// Sort puts records in order and drops what is there more than once. It works in place and returns what is left. Records
// that have an id in common and are not alike all stay.
func Sort(records []Record) []Record {
	if !sorted(records) {
		slices.Reverse(records) // the API's own order, but for ties
	}
	if !sorted(records) {
		slices.SortFunc(records, func(a, b Record) int { return Compare(&a, &b) })
	}
	kept := 0
	for i := range records {
		if kept > 0 && same(&records[kept-1], &records[i]) { //nolint:gosec // kept is above 0
			continue
		}
		if kept != i {
			records[kept] = records[i]
		}
		kept++
	}
	return records[:kept]
}

func sorted(records []Record) bool {
	for i := 1; i < len(records); i++ {
		if Compare(&records[i-1], &records[i]) > 0 {
			return false
		}
	}
	return true
}

// same tells a record that was served twice.
func same(a, b *Record) bool { return Compare(a, b) == 0 && difference(a, b) == "" }
