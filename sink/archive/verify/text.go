package verify

import (
	"fmt"
	"time"
)

func named(r reading) string { return fmt.Sprintf("entry %d", r.Serial) }

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// span names a run of serials.
func span(first, last uint64) string {
	if first == last {
		return fmt.Sprintf("Entry %d", first)
	}
	return fmt.Sprintf("Entries %d to %d", first, last)
}

// isAre is the verb that follows a number.
func isAre(many bool) string {
	if many {
		return "are"
	}
	return "is"
}
