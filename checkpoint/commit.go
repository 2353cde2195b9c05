package checkpoint

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/google/uuid"
)

// Commit adds the entry that follows prev, which is what [Journal.Load] or the last Commit returned, or the zero value
// in an empty stream. It fills in everything that identifies the entry, and CommittedAt from this machine's clock if
// it is zero; the rest is the caller's. Everything before next.Cursor must be durable at the destination by now.
//
// [ErrConflict] says that another writer committed this serial first. After any other error from the store it is
// unknown whether the entry was stored; the next Load tells, and either answer is a good place to go on from.
func (j *Journal) Commit(ctx context.Context, prev Stored, next Checkpoint) (Stored, error) {
	if next.Cursor.Before(prev.Cursor) && next.Reset == nil && !j.scattered {
		return Stored{}, fmt.Errorf("commit to %s: the cursor would go back from %s to %s: this is a defect, please report it",
			j.at(j.path("")), prev.Cursor.UTC().Format(time.RFC3339Nano), next.Cursor.UTC().Format(time.RFC3339Nano))
	}
	next = j.identify(prev, next)
	key := j.key(next.Serial)
	body, err := encode(next)
	if err != nil {
		return Stored{}, fmt.Errorf("encode checkpoint %s: %w", j.at(key), err)
	}
	// What the next Load would refuse must not be written: it could never be removed again.
	stored, err := decode(body)
	if err != nil {
		return Stored{}, fmt.Errorf("refuse to write checkpoint %s: %w", j.at(key), err)
	}

	// The commit point. Before it, the destination has acknowledged every record of the window, and a crash repeats
	// the window: the intent in the lease makes the repetition the same one. After it, the entry is durable and the
	// stream stands at the new cursor, even if this process never learns of it.
	if _, err := j.bucket.Put(ctx, key, body, ""); errors.Is(err, fs.ErrExist) {
		if err := j.ours(ctx, key, body); err != nil {
			return Stored{}, err
		}
	} else if err != nil {
		return Stored{}, fmt.Errorf("commit the checkpoint: %w", err)
	}

	// A crash here, or a failure, leaves an older note, which costs the next Load a longer listing.
	j.jot(ctx, note{Serial: stored.Serial, SHA256: stored.SHA256})
	return stored, nil
}

// identify fills in what an entry says about itself.
func (j *Journal) identify(prev Stored, next Checkpoint) Checkpoint {
	next.Format = Format
	next.Stream, next.Source, next.Destination = j.id.Stream, j.id.Source, j.id.Destination
	next.Serial = prev.Serial + 1
	next.Lineage, next.Epoch = prev.Lineage, prev.Epoch
	if prev.Serial == 0 {
		next.Lineage = uuid.NewString()
	}
	if next.Reset != nil {
		next.Lineage, next.Epoch = uuid.NewString(), next.Serial
	}
	next.PreviousSHA256 = prev.SHA256
	next.Writer = j.id.Writer
	if next.CommittedAt.IsZero() {
		next.CommittedAt = time.Now()
	}
	return next
}

// ours decides what an entry that exists already means. With our bytes it is our own: the store's client repeated a
// request whose answer was lost. With any others, another writer was first.
func (j *Journal) ours(ctx context.Context, key string, body []byte) error {
	existing, _, _, err := j.bucket.Get(ctx, key)
	if err != nil {
		return fmt.Errorf("%w: %s exists already and cannot be read: %w", ErrConflict, j.at(key), err)
	}
	if bytes.Equal(existing, body) {
		return nil
	}
	who := "by an unknown writer"
	if s, err := decode(existing); err == nil {
		who = fmt.Sprintf("by houndtrail %s on %s at %s",
			s.Writer.Version, s.Writer.Host, s.CommittedAt.UTC().Format(time.RFC3339))
	}
	return fmt.Errorf("%w: %s was already committed %s: let only one runner work on stream %s, "+
		"then run again, which goes on from that entry", ErrConflict, j.at(key), who, j.id.Stream)
}

// jot notes the newest entry, if nobody noted a later one. Nothing depends on it, hence no error.
func (j *Journal) jot(ctx context.Context, n note) {
	old, version, err := j.note(ctx)
	if err != nil || old.Serial >= n.Serial {
		return
	}
	if body, err := marshal(n); err == nil {
		_, _ = j.bucket.Put(ctx, j.path("latest"), body, version)
	}
}
