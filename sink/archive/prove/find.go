package prove

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
)

// near is how many entries the search reads after the first one that can have delivered the record.
const near = 32

// A delivered record is a record with the object in which an entry delivered it.
type delivered struct {
	journal *checkpoint.Journal
	serial  uint64
	object  checkpoint.Object
	rows    *rows
	weak    string // see [Proof]
}

// find finds the entry that first delivered the record.
func (p *prover) find(ctx context.Context) (*delivered, error) {
	newest, err := p.Journal.Load(ctx)
	if err != nil && !errors.Is(err, checkpoint.ErrNotFound) {
		return nil, err
	}
	p.newest = newest
	if d, err := p.soon(ctx); d != nil || err != nil {
		return d, err
	}
	return p.everywhere(ctx)
}

// soon looks at the most likely place of the record. In a journal of one lineage, two records never have the same id, and
// max_id only rises. So the first entry with such a max_id, or a later one, delivered the record. If soon does not find the
// record, or something is not as it should be, it returns nil.
func (p *prover) soon(ctx context.Context) (*delivered, error) {
	first, err := p.entry(ctx, p.Journal, 1)
	if p.newest.Serial == 0 || err != nil || first.Lineage != p.newest.Lineage {
		return nil, ctx.Err()
	}
	low, high := uint64(0), p.newest.Serial+1 // max_id of the entry low is below the id, and that of the entry high is not
	for low+1 < high {
		middle := low + (high-low)/2
		s, err := p.entry(ctx, p.Journal, middle)
		if err != nil {
			return nil, ctx.Err()
		}
		if s.MaxID < p.ID {
			low = middle
		} else {
			high = middle
		}
	}
	for serial := high; serial <= min(high+near, p.newest.Serial); serial++ {
		s, err := p.entry(ctx, p.Journal, serial)
		if err != nil {
			return nil, ctx.Err()
		}
		for _, o := range s.Objects {
			if s.Compacted != nil || !p.mayHave(o) {
				continue
			}
			d, err := p.inObject(ctx, candidate{p.Journal, serial, false, o})
			if err != nil || d != nil && len(d.rows.wanted) == 1 {
				return d, sound(err)
			}
		}
	}
	return nil, nil
}

// sound drops an error if the record may still be in another place.
func sound(err error) error {
	if errors.Is(err, ErrUnprovable) || errors.Is(err, ErrForgotten) {
		return nil
	}
	return err
}

// mayHave tells whether an object can have the record.
func (p *prover) mayHave(o checkpoint.Object) bool {
	return o.MinID <= p.ID && p.ID <= o.MaxID && !o.MaxCreatedAt.Before(p.Since) && (p.Until.IsZero() || o.MinCreatedAt.Before(p.Until))
}

// A candidate is an object that can have the record.
type candidate struct {
	journal   *checkpoint.Journal
	serial    uint64
	compacted bool // the candidate is an object of a compaction
	object    checkpoint.Object
}

// everywhere goes through all entries.
func (p *prover) everywhere(ctx context.Context) (*delivered, error) {
	candidates, err := p.candidates(ctx)
	if err != nil {
		return nil, err
	}
	var problems []error
	var found []*delivered
	times := map[time.Time]bool{}
	for _, c := range candidates {
		if c.compacted && len(found) > 0 {
			break
		}
		d, err := p.inObject(ctx, c)
		if err != nil && sound(err) != nil {
			return nil, err
		}
		if err != nil {
			problems = append(problems, err)
		}
		if d == nil {
			continue
		}
		if c.compacted {
			d.weak = "the rows of the object that delivered it cannot be told apart any more"
		}
		for _, r := range d.rows.wanted {
			times[r.at] = true
		}
		found = append(found, d)
	}
	switch {
	case len(times) > 1:
		return nil, fmt.Errorf("%w, since a database was restored or begun anew: %s: choose one with --since and --until",
			ErrSeveral, list(times))
	case len(found) > 0:
		return found[0], nil
	case len(problems) > 0:
		return nil, errors.Join(problems...)
	default:
		return nil, fmt.Errorf("%w: no entry of the journals delivered id %d%s", ErrNotFound, p.ID, p.bounds())
	}
}

// inObject looks for the record in an object. It returns nil if the object does not have it.
func (p *prover) inObject(ctx context.Context, c candidate) (*delivered, error) {
	r, err := p.rows(ctx, c.serial, c.journal == p.Journal, c.object)
	if err != nil || len(r.wanted) == 0 {
		return nil, err
	}
	return &delivered{journal: c.journal, serial: c.serial, object: c.object, rows: r}, nil
}

// candidates returns the objects of both journals that can have the record. First come the objects of deliveries, oldest first,
// and then the objects of compactions.
func (p *prover) candidates(ctx context.Context) (all []candidate, err error) {
	for _, j := range []*checkpoint.Journal{p.Journal, p.Backfill} {
		end, err := j.End(ctx)
		if err != nil {
			return nil, err
		}
		for s, err := range j.Readings(ctx, 1, end.Newest, parallel) {
			if s.Serial == 0 { // an error of the store
				return nil, err
			}
			if p.Progress != nil {
				p.Progress(int64(s.Serial), int64(end.Newest))
			}
			for _, o := range s.Objects {
				if p.mayHave(o) {
					all = append(all, candidate{j, s.Serial, s.Compacted != nil, o})
				}
			}
		}
	}
	slices.SortStableFunc(all, func(a, b candidate) int {
		switch {
		case a.compacted == b.compacted:
			return 0
		case a.compacted:
			return 1
		default:
			return -1
		}
	})
	return all, nil
}

// bounds are the bounds of created_at in words.
func (p *prover) bounds() (text string) {
	if !p.Since.IsZero() {
		text += " since " + stamp(p.Since)
	}
	if !p.Until.IsZero() {
		text += " before " + stamp(p.Until)
	}
	return text
}

func list(times map[time.Time]bool) string {
	var all []string
	for at := range times {
		all = append(all, stamp(at))
	}
	slices.SortFunc(all, cmp.Compare)
	return strings.Join(all, " and ")
}

func stamp(at time.Time) string { return at.UTC().Format(time.RFC3339Nano) }
