package checkpoint

import (
	"context"
	"time"
)

// Reset commits the entry that begins a new lineage: from cursor on, which may be before that of prev, everything is new
// whatever its id. The entries of before stay, and so does what they account for; the windows of the new lineage carry
// its epoch, so that none of their objects is one of those.
func (j *Journal) Reset(ctx context.Context, prev Stored, cursor time.Time, reason string) (Stored, error) {
	return j.Commit(ctx, prev, Checkpoint{
		Window:         Window{Start: cursor, End: cursor, Pass: prev.Serial + 1},
		Cursor:         cursor,
		DeliveredSince: cursor,
		RescannedAt:    prev.RescannedAt,
		Reset:          &Reset{Lineage: prev.Lineage, Reason: reason},
	})
}
