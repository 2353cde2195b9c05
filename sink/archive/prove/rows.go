package prove

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/seal"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink"
	"github.com/houndtrail/houndtrail/sink/archive/read"
)

// A row is the row of a record with the wanted id.
type row struct {
	bytes []byte
	at    time.Time
}

// rows are the leaves of an object's rows, and the rows with the wanted id.
type rows struct {
	key        string // the key of the object from which they were read
	compaction uint64 // the entry that made that object; 0 if it is the object of the delivery itself
	leaves     []seal.Hash
	wanted     map[int]row // by place
}

// one is the only row, and its place.
func (r *rows) one() (place int, only row) {
	for at, found := range r.wanted {
		place, only = at, found
	}
	return place, only
}

// root is the records_root of these rows.
func (r *rows) root() seal.Hash {
	var tree seal.Frontier
	for _, leaf := range r.leaves {
		tree.Append(leaf)
	}
	return tree.Root()
}

// errGone: the object no longer exists.
var errGone = errors.New("it is gone")

// rows returns the rows of an object that an entry names. It reads them from that object or, if a compaction removed it, from
// the new object. It makes sure that they agree with the entry's records_root.
func (p *prover) rows(ctx context.Context, serial uint64, own bool, o checkpoint.Object) (*rows, error) {
	r, err := p.whole(ctx, o)
	if errors.Is(err, errGone) {
		r, err = p.afterCompaction(ctx, serial, own, o, err)
	}
	if err != nil {
		return nil, err
	}
	if root := r.root(); root != o.RecordsRoot {
		return nil, fmt.Errorf("%w: the rows of %s in %s have the root %s, and entry %d says %s: run houndtrail verify --read",
			ErrUnprovable, o.Key, r.key, root.Base64(), serial, o.RecordsRoot.Base64())
	}
	return r, nil
}

// whole reads the rows of an object that still is as it was committed.
func (p *prover) whole(ctx context.Context, o checkpoint.Object) (*rows, error) {
	body, _, _, err := p.Files.Get(ctx, o.Key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errGone
	}
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(body); hex.EncodeToString(sum[:]) != o.SHA256 {
		return nil, fmt.Errorf("%w: it has the SHA-256 %x, and %s was committed", errGone, sum, o.SHA256)
	}
	file, err := read.Open(body, o.Key)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnprovable, err)
	}
	r := &rows{key: o.Key, wanted: map[int]row{}}
	var text []byte
	err = file.Rows(func(rec *record.Record) error {
		text = sink.AppendRow(text[:0], rec)
		if p.wants(rec.ID, rec.CreatedAt) {
			r.wanted[len(r.leaves)] = row{append([]byte{}, text...), rec.CreatedAt}
		}
		r.leaves = append(r.leaves, seal.Leaf(text))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnprovable, err)
	}
	return r, nil
}

// wants tells whether the proof is about this record.
func (p *prover) wants(id int64, at time.Time) bool {
	return id == p.ID && !at.Before(p.Since) && (p.Until.IsZero() || at.Before(p.Until))
}

// A replacement is what a compaction's entry says about an object that it removed.
type replacement struct {
	checkpoint.Replaced

	by     checkpoint.Object
	serial uint64 // the serial of the compaction's entry
}

// afterCompaction reads the rows of an object from the object that replaced it.
func (p *prover) afterCompaction(ctx context.Context, serial uint64, own bool, o checkpoint.Object, gone error) (*rows, error) {
	after := serial
	if !own { // the archive's journal has all compactions, also those of the backfill's objects
		after = 0
	}
	by, err := p.replacement(ctx, o.Key, after)
	if err != nil {
		return nil, err
	}
	switch forgotten := p.forgotten[o.Key]; {
	case forgotten != nil:
		return nil, fmt.Errorf("%w: %s of entry %d may have had it, and was removed on purpose %w", ErrForgotten, o.Key, serial, forgotten)
	case by.serial == 0:
		return nil, fmt.Errorf("%w: %s of entry %d: %w, and no entry says that a compaction took it: restore it, and see houndtrail verify",
			ErrUnprovable, o.Key, serial, gone)
	case len(by.Rows) == 0:
		return nil, fmt.Errorf("%w: %s of entry %d was compacted, and entry %d does not tell which rows were its own", ErrUnprovable,
			o.Key, serial, by.serial)
	}
	all, err := p.rows(ctx, by.serial, true, by.by)
	if err != nil {
		return nil, err
	}
	r := &rows{key: all.key, compaction: all.compaction, wanted: map[int]row{}}
	if r.compaction == 0 {
		r.compaction = by.serial
	}
	for place := range by.Rows.All() {
		if found, ok := all.wanted[place]; ok {
			r.wanted[len(r.leaves)] = found
		}
		r.leaves = append(r.leaves, all.leaves[place])
	}
	return r, nil
}

// replacement looks for the compaction that removed an object. It returns the zero value if there is none. It reads the entries
// once, and on its way it notes the objects that a user removed.
func (p *prover) replacement(ctx context.Context, key string, after uint64) (replacement, error) {
	if found, ok := p.replaced[key]; ok {
		return found, nil
	}
	if p.scanned.to == 0 || after < p.scanned.from {
		p.scanned.from, p.scanned.to = after, after
	}
	for s, err := range p.Journal.Readings(ctx, p.scanned.to+1, p.newest.Serial, parallel) {
		if s.Serial == 0 { // an error of the store
			return replacement{}, err
		}
		p.scanned.to = s.Serial
		if err == nil && s.Forgotten != nil {
			why := fmt.Errorf("by entry %d on %s: %s", s.Serial, s.CommittedAt.UTC().Format(time.DateOnly), s.Forgotten.Reason)
			for _, r := range s.Forgotten.Removed {
				p.forgotten[r.Key] = why
			}
		}
		if err != nil || s.Compacted == nil || len(s.Objects) != 1 {
			continue
		}
		for _, r := range s.Compacted.Replaced {
			p.replaced[r.Key] = replacement{r, s.Objects[0], s.Serial}
		}
		if found, ok := p.replaced[key]; ok {
			return found, nil
		}
	}
	return replacement{}, nil
}
