package archive

import (
	"errors"
	"fmt"
	"regexp"
	"time"

	"houndtrail/exporter/bloodhound"
	"houndtrail/exporter/window"
)

// root is the folder of the archive in its bucket. The checkpoints lie beside it.
const root = "audit"

// startFormat is how a key writes its window's start, in UTC. The names of a day's objects sort by time.
const startFormat = "20060102T150405.000000Z"

// ErrOrder says that the records handed to Write do not come day by day.
var ErrOrder = errors.New("records are not sorted by created_at")

var tenants = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

func checkTenant(tenant string) error {
	if !tenants.MatchString(tenant) {
		return fmt.Errorf("tenant %q: only A-Z, a-z, 0-9, '.', '_' and '-' can be part of an object's key", tenant)
	}
	return nil
}

// key is the object for the records of one day of a window.
func key(tenant string, day time.Time, w window.Window, extension string) string {
	name := w.Start.UTC().Format(startFormat)
	if w.Pass > 0 {
		name += fmt.Sprintf("-%d", w.Pass)
	}
	return root + "/tenant=" + tenant + "/dt=" + day.UTC().Format(time.DateOnly) + "/" + name + extension
}

// split cuts sorted records into days, in UTC. A day that came before would be a second object of the same key, which
// must not happen.
func split(records []bloodhound.Record) ([][]bloodhound.Record, error) {
	var days [][]bloodhound.Record
	var end time.Time // of the day before
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
