package prove

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/checkpoint/seal"
)

// The reasons for which there is no proof. The errors that wrap them say what to do.
var (
	// ErrNotFound: the archive has no such record.
	ErrNotFound = errors.New("the record is not in the archive")
	// ErrSeveral: several records have the id.
	ErrSeveral = errors.New("several records have this id")
	// ErrForgotten: a user removed, on purpose, the object that may have had the record.
	ErrForgotten = errors.New("the record is not in the archive any more")
	// ErrUnprovable: the record is there, but an object or an entry is gone, or is not as it was committed.
	ErrUnprovable = errors.New("the record cannot be proved")
)

// parallel is how many entries the program reads at a time.
const parallel = 64

// Options say what to prove. Every field except the times, Keys and Progress has to be set.
type Options struct {
	Files     bucket.Reader // the archive
	Positions bucket.Reader // the store of the journals
	Journal   *checkpoint.Journal
	Backfill  *checkpoint.Journal
	ID        int64
	// Since and Until bound the record's created_at. Zero means no bound.
	Since, Until time.Time
	Keys         []seal.PublicKey // they go into the proof, so that its reader can compare them
	Progress     func(done, all int64)
}

// A Proof is the proof of a record, with the place of the record.
type Proof struct {
	*seal.Bundle

	CreatedAt time.Time
	Signed    bool   // the head has a signature
	Lies      string // the key of the object that has the record today
	// Compaction is the entry that made this object. It is 0 if the object of the delivery still exists.
	Compaction uint64
	// Weak says why the proof uses the entry of a compaction, and not the entry that delivered the record. It is "" if it uses the
	// latter.
	Weak string
}

// Record makes the proof of a record. The proof leads to the newest signed head.
func Record(ctx context.Context, o Options) (*Proof, error) {
	p := &prover{Options: o, replaced: map[string]replacement{}, forgotten: map[string]error{}}
	found, err := p.find(ctx)
	if err != nil {
		return nil, err
	}
	return p.prove(ctx, found)
}

type prover struct {
	Options

	newest   checkpoint.Stored // of the archive's journal
	replaced map[string]replacement
	// forgotten has an error for each object that a user removed on purpose.
	forgotten map[string]error
	// The next two fields have the compactions and removals of the scanned entries of that journal: the entries after from, up to
	// and with to.
	scanned struct{ from, to uint64 }
}

// prove puts the proof together.
func (p *prover) prove(ctx context.Context, d *delivered) (*Proof, error) {
	line, err := p.line(ctx, d.journal, d.serial)
	if err != nil {
		return nil, err
	}
	entry, err := seal.ReadEntry(line)
	if err != nil {
		return nil, fmt.Errorf("%w: entry %d: %w", ErrUnprovable, d.serial, err)
	}
	head, err := p.head(ctx, d.journal, entry)
	if err != nil {
		return nil, err
	}
	place, err := seal.ProveInclusion(d.serial-1, head.Size, seal.FromEntries(func(serials []uint64) ([]*seal.Entry, error) {
		return p.entries(ctx, d.journal, serials)
	}))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnprovable, err)
	}
	at, row := d.rows.one()
	path, err := seal.ProveInclusion(uint64(at), uint64(len(d.rows.leaves)), seal.FromLeaves(d.rows.leaves))
	if err != nil {
		return nil, err
	}
	bundle, err := seal.NewBundle(d.object.Key, seal.RowProof{Row: row.bytes, Inclusion: path}, line, place, head.note, p.Keys...)
	if err != nil {
		return nil, fmt.Errorf("%w: %w: run houndtrail verify --read", ErrUnprovable, err)
	}
	if len(p.Keys) > 0 {
		if _, err := bundle.Check(p.Keys...); err != nil {
			return nil, fmt.Errorf("%w with the given keys: %w", ErrUnprovable, err)
		}
	}
	return &Proof{
		Bundle: bundle, CreatedAt: row.at, Signed: head.signed, Lies: d.rows.key, Compaction: d.rows.compaction, Weak: d.weak,
	}, nil
}

// A head is the head to which a proof leads.
type head struct {
	*seal.SignedHead

	note   string
	signed bool
}

// head returns the newest signed head of the entry's journal. If the last run died before it stored the newest head, that is
// the head in the newest entry. A journal without keys has only heads without a signature.
func (p *prover) head(ctx context.Context, j *checkpoint.Journal, entry *seal.Entry) (*head, error) {
	newest, err := j.Load(ctx)
	if err != nil {
		return nil, err
	}
	last, notes := newest, []string{newest.Head, newest.Seal.Head}
	if newest.Seal.Origin != entry.Seal.Origin {
		if last, err = p.lastOf(ctx, j, entry, newest.Serial); err != nil {
			return nil, err
		}
		notes = []string{last.Seal.Head}
	}
	var bare *head
	for _, note := range notes {
		h, err := seal.ReadHead(note)
		if err != nil || h.Size < entry.Serial {
			continue
		}
		if h.Signed() {
			return &head{h, note, true}, nil
		}
		if bare == nil {
			bare = &head{h, note, false}
		}
	}
	switch {
	case bare == nil:
		return nil, fmt.Errorf("%w: no head of %s in the journal is about entry %d: the journal went on under another name after an "+
			"adoption, so only a head that was remembered elsewhere is about it", ErrUnprovable, entry.Seal.Origin, entry.Serial)
	case last.Signed:
		return nil, fmt.Errorf("%w: entry %d is the newest one, and its head is not signed yet: run houndtrail run --once",
			ErrUnprovable, entry.Serial)
	default:
		return bare, nil
	}
}

// lastOf is the last entry with the origin of the given entry. After an adoption, later entries have another origin.
func (p *prover) lastOf(ctx context.Context, j *checkpoint.Journal, entry *seal.Entry, newest uint64) (checkpoint.Stored, error) {
	last, end := entry.Serial, newest // the entry low has the same origin, and the entry high has not
	for last+1 < end {
		middle := last + (end-last)/2
		s, err := p.entry(ctx, j, middle)
		if err != nil {
			return s, fmt.Errorf("%w: look for the last entry of %s: %w", ErrUnprovable, entry.Seal.Origin, err)
		}
		if s.Seal.Origin == entry.Seal.Origin {
			last = middle
		} else {
			end = middle
		}
	}
	return p.entry(ctx, j, last)
}

// entries reads entries, as far as their seals need it.
func (p *prover) entries(ctx context.Context, j *checkpoint.Journal, serials []uint64) ([]*seal.Entry, error) {
	entries := make([]*seal.Entry, len(serials))
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for i, serial := range serials {
		g.Go(func() error {
			line, err := p.line(ctx, j, serial)
			if err != nil {
				return err
			}
			e, err := seal.ReadEntry(line)
			if err != nil {
				return fmt.Errorf("entry %d: %w", serial, err)
			}
			mu.Lock()
			defer mu.Unlock()
			entries[i] = e
			return nil
		})
	}
	return entries, g.Wait()
}

// line is the bytes of an entry.
func (p *prover) line(ctx context.Context, j *checkpoint.Journal, serial uint64) ([]byte, error) {
	body, _, _, err := p.Positions.Get(ctx, j.Key(serial))
	if err != nil {
		return nil, fmt.Errorf("read entry %d of the journal: %w", serial, err)
	}
	return body, nil
}

// entry reads one entry.
func (p *prover) entry(ctx context.Context, j *checkpoint.Journal, serial uint64) (checkpoint.Stored, error) {
	body, err := p.line(ctx, j, serial)
	if err != nil {
		return checkpoint.Stored{}, err
	}
	return j.Parse(serial, body)
}
