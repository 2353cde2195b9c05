package archive

import (
	"errors"
	"fmt"
	"time"

	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/archive/read"
)

// ErrOrder says that the records for Prepare do not come day by day.
var ErrOrder = errors.New("records are not sorted by created_at")

// key is the key of the object for the records of one day of a window, or of one part of it.
func key(tenant string, day time.Time, w window.Window, part int, extension string) string {
	return read.Object{Tenant: tenant, Day: day, Start: w.Start, Pass: w.Pass, Part: part, Extension: extension}.Key()
}

// split cuts sorted records into days, in UTC. If a day comes a second time, it returns an error: that day would need a second
// object with the same key.
func split(records []record.Record) ([][]record.Record, error) {
	var days [][]record.Record
	var end time.Time // the last record of the previous day
	for len(records) > 0 {
		start := records[0].CreatedAt.UTC().Truncate(24 * time.Hour)
		if start.Before(end) {
			last := end.Add(-1).Format(time.DateOnly)
			return nil, fmt.Errorf("id %d comes after a record of %s: %w", records[0].ID, last, ErrOrder)
		}
		end = start.Add(24 * time.Hour)
		n := 1
		for n < len(records) && !records[n].CreatedAt.Before(start) && records[n].CreatedAt.Before(end) {
			n++
		}
		days = append(days, records[:n:n])
		records = records[n:]
	}
	return days, nil
}
