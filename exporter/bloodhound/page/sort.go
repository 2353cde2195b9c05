package page

import (
	"slices"

	"github.com/houndtrail/houndtrail/exporter/record"
)

// Sort puts records in order and drops repeats of a record. It works in place and returns the remaining records. Records with
// the same id and different content all stay.
func Sort(records []record.Record) []record.Record {
	if !sorted(records) {
		slices.Reverse(records) // the API's own order, except for ties
	}
	if !sorted(records) {
		slices.SortFunc(records, func(a, b record.Record) int { return record.Compare(&a, &b) })
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

func sorted(records []record.Record) bool {
	for i := 1; i < len(records); i++ {
		if record.Compare(&records[i-1], &records[i]) > 0 {
			return false
		}
	}
	return true
}

// same tells whether two records are one record that the server sent twice.
func same(a, b *record.Record) bool { return record.Compare(a, b) == 0 && difference(a, b) == "" }
