package checkpoint

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/google/uuid"

	"github.com/houndtrail/houndtrail/checkpoint/seal"
)

// Commit adds the entry that follows prev. [Journal.Load] or the last Commit returned prev. It is the zero value in an empty
// stream. Commit fills in everything that identifies the entry, its seal, and the sums over the journal (Totals, Covered,
// HolesTotal, HoledAt, ChangedTotal, DeadLetters, ForgottenBefore). If CommittedAt is zero, Commit sets it by this machine's
// clock. The caller sets the rest. Before it calls Commit, all records before next.Cursor must be durable: at the destination, or
// as one of the letters in next.Refused.
//
// The cursor may go back only with a reset or an adoption. Both begin a lineage, and its epoch is at least the entry's serial. An
// adoption may also follow the entry that [Journal.Tip] returned, or no entry at all, even if the note names entries that are
// lost. Its epoch is at least the one in next: the caller knows the passes of the archive's objects. Other first entries of a
// journal have an epoch of 0. With that epoch, windows after an adoption would get the same keys as objects of the lost journal.
//
// [ErrConflict] says that another writer committed this serial first. After any other error from the store, the entry may or may
// not be stored. The next Load tells which, and the caller can go on from either answer.
func (j *Journal) Commit(ctx context.Context, prev Stored, next Checkpoint) (Stored, error) {
	if next.Cursor.Before(prev.Cursor) && next.Kind != KindReset && next.Kind != KindAdopt && !j.scattered {
		return Stored{}, fmt.Errorf("commit to %s: the cursor would go back from %s to %s: this is a defect, please report it",
			j.at(j.path("")), prev.Cursor.UTC().Format(time.RFC3339Nano), next.Cursor.UTC().Format(time.RFC3339Nano))
	}
	next, err := j.identify(prev, next)
	if err == nil {
		next, err = j.sealed(ctx, prev, Account(prev.Checkpoint, next, j.scattered))
	}
	if err != nil {
		return Stored{}, fmt.Errorf("seal the checkpoint after %s: %w", j.at(j.Key(prev.Serial)), err)
	}
	key := j.Key(next.Serial)
	body, err := encode(next)
	if err == nil {
		body, err = seal.SignEntry(body, next.Seal.Origin, next.Serial, signers(j.keysFor(prev, &next), next.Seal.Origin)...)
	}
	if err != nil {
		return Stored{}, fmt.Errorf("encode checkpoint %s: %w", j.at(key), err)
	}
	// Commit must not write an entry that the next Load would refuse: Houndtrail never removes an entry.
	stored, _, err := decode(body)
	if err == nil {
		err = j.follows(prev, stored)
	}
	if err != nil {
		return Stored{}, fmt.Errorf("refuse to write checkpoint %s: %w", j.at(key), err)
	}
	// This is the commit point. Before it, the destination has acknowledged every record of the window. A crash before it repeats
	// the window, and the intent in the lease makes the repetition the same one. After it, the entry is durable and the stream is
	// at the new cursor, even if this process never gets the answer.
	if _, err := j.bucket.Put(ctx, key, body, ""); errors.Is(err, fs.ErrExist) {
		if err := j.ours(ctx, key, body); err != nil {
			return Stored{}, err
		}
	} else if err != nil {
		return Stored{}, fmt.Errorf("commit the checkpoint: %w", err)
	}
	j.seen.Store(stored.Serial)
	j.remember(stored)
	if err := j.noted(ctx, &stored); err != nil {
		return Stored{}, err
	}
	j.tip.Store(&stored)
	return stored, nil
}

// noted signs the head over an entry that the store has acknowledged, and notes it.
//
// A crash or a failure before the note is written leaves an older note. It costs the next Load a longer listing. After an
// adoption, it may leave the note of a lost entry. Then no run goes on before the note is replaced.
func (j *Journal) noted(ctx context.Context, s *Stored) error {
	adopted := s.Kind == KindAdopt
	if len(j.keys) > 0 && !adopted {
		if err := j.unforked(ctx, *s); err != nil {
			return err
		}
	}
	if err := j.signHead(s); err != nil {
		return fmt.Errorf("%s was committed, but its head was not signed: %w", j.at(j.Key(s.Serial)), err)
	}
	j.tiles.Passed(s.Serial, s.Leaf)
	if !j.tiled(j.tiles.Complete(ctx, s.Serial)) && !adopted {
		return nil
	}
	err := j.writeLatestHint(ctx, note{Serial: s.Serial, SHA256: s.SHA256, Head: s.Head}, adopted)
	if err != nil && adopted {
		err = fmt.Errorf("the position was rebuilt by %s, but the note of the lost entry could not be replaced: %w: "+
			"run houndtrail adopt again", j.at(j.Key(s.Serial)), err)
	}
	return err
}

// tiled tells whether the tiles up to an entry are written. Only then the entry may be noted. Without the note, the next commit or
// the next start tries again to write them. A crash before the tile leaves the same older note.
func (j *Journal) tiled(err error) bool {
	if err != nil && j.warn != nil {
		j.warn(fmt.Errorf("%w: nothing is lost by that, and the next commit tries again", err))
	}
	return err == nil
}

// identify fills in the fields by which an entry identifies itself. A compaction asks no source: if it does not know the source,
// it takes the source of the previous entry.
func (j *Journal) identify(prev Stored, next Checkpoint) (_ Checkpoint, err error) {
	next.Format = Format
	next.Tenant, next.Stream, next.Source = j.id.Tenant, j.id.Stream, cmp.Or(j.id.Source, prev.Source)
	next.Destination, next.Encoding = j.id.Destination, j.id.Encoding
	next.Serial = prev.Serial + 1
	reset, adopted := next.Kind == KindReset, next.Kind == KindAdopt
	switch {
	case adopted, reset:
		next.Epoch = max(next.Epoch, next.Serial)
	default:
		next.Epoch = prev.Epoch
	}
	next.Lineage = prev.Lineage
	if prev.Serial == 0 || reset || adopted {
		next.Lineage = uuid.NewString()
	}
	next.PreviousSHA256 = prev.SHA256
	next.Writer = j.id.Writer
	if next.CommittedAt.IsZero() {
		next.CommittedAt = time.Now()
	}
	next.KeysAt = prev.NewestKeys()
	switch {
	case next.Kind == KindKeys:
	case next.founds() && len(j.keys) > 0:
		next.Keys = new(KeyList)
		next.Keys.Keys, err = j.signing(nil, next.Serial)
	default:
		next.Keys = nil
	}
	return next, err
}

// ours decides about an entry that exists already. If the entry has our bytes, it is our own: the store's client repeated a
// request whose answer was lost. If it has other bytes, another writer was first.
func (j *Journal) ours(ctx context.Context, key string, body []byte) error {
	existing, _, _, err := j.bucket.Get(ctx, key)
	if err != nil {
		return fmt.Errorf("%w: %s exists already and cannot be read: %w", ErrConflict, j.at(key), err)
	}
	if bytes.Equal(existing, body) {
		return nil
	}
	who := "by an unknown writer"
	if s, _, err := decode(existing); err == nil || errors.Is(err, ErrNewer) {
		who = "by " + s.by()
	}
	return fmt.Errorf("%w: %s was already committed %s: let only one runner work on stream %s, "+
		"then run again, which goes on from that entry", ErrConflict, j.at(key), who, j.id.Stream)
}

// probe tries whether the store refuses the two writes that it must refuse for a journal. The first creates an object that exists
// already. The second replaces a version that does not exist any more. Some gateways ignore either condition and answer with
// success.
//
// Each body is different, so that no version comes back. Another runner may probe at the same moment. If the store refuses because
// of that runner's write, this proves the same.
func (j *Journal) probe(ctx context.Context) error {
	key := j.path(probeName)
	put := func(version string) (string, error) {
		body := fmt.Sprintf(`{"about":"houndtrail tries here whether the store obeys conditional writes","token":%q}`+"\n", rand.Text())
		return j.bucket.Put(ctx, key, []byte(body), version)
	}
	refused := func(tried, header string, err error) error {
		switch {
		case err == nil:
			return fmt.Errorf("%w: the store %s ignores conditional writes: %s %s should have been refused (%s), so that two "+
				"runners could both commit one serial: use another store, or a gateway setting that makes it obey them",
				ErrUnconditional, j.bucket, tried, j.at(key), header)
		case errors.Is(err, fs.ErrExist):
			return nil
		default:
			return fmt.Errorf("try whether the store obeys conditional writes: %w", err)
		}
	}
	version, err := put("")
	created := err == nil
	if created {
		_, err = put("")
	}
	if err := refused("creating a second time", "If-None-Match", err); err != nil {
		return err
	}
	if !created {
		if _, version, _, err = j.bucket.Get(ctx, key); err != nil {
			return fmt.Errorf("try whether the store obeys conditional writes: %w", err)
		}
	}
	if _, err = put(version); err == nil {
		_, err = put(version) // this version does not exist any more
	}
	return refused("replacing an old version of", "If-Match", err)
}
