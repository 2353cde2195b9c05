package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/seal"
)

// A Remembered head is one that was kept outside of the store. The journal must have grown out of the tree of that head.
type Remembered struct {
	Where string // a file
	Head  *seal.SignedHead
}

// A witness is a head that tells what the journal was.
type witness struct {
	*seal.SignedHead

	where   string
	kind    testimony
	settled bool // it was compared
	agrees  bool
}

// A testimony says how much a witness counts for.
type testimony int

const (
	earlier testimony = iota // an earlier version of the hint
	noted                    // the hint
	given                    // from outside of the store
)

// of tells whether a head is of a journal of that stream. Its tenant and the id of the journal are another question.
func (h Remembered) of(stream string) bool {
	parts := strings.Split(h.Head.Origin, "/")
	return len(parts) > 2 && parts[2] == stream
}

// witnesses takes in all heads that tell what the journal was, and reports the ones of which the journal has no entry any more.
func (j *journal) witnesses(hints []*witness) {
	var all []*witness
	switch h, err := seal.ReadHead(j.end.Hint.Head); {
	case j.end.Hint.Serial == 0:
	case err == nil && h.Size == j.end.Hint.Serial:
		j.noted = &witness{SignedHead: h, where: "the hint", kind: noted}
		all = append(all, j.noted)
	case j.end.Hint.Serial == j.end.Newest:
		j.report(TipUnsealed, Warning, 0, "The hint %s has no head of entry %d, which is the newest: no head vouches for that entry.",
			j.HintKey(), j.end.Newest)
	}
	for _, w := range hints {
		switch {
		case j.noted != nil && w.Note() == j.noted.Note(): // the same object
		case j.outdated(w) && w.Size > j.end.Newest:
			j.others = append(j.others, w)
		case j.ours(w):
			all = append(all, w)
		}
	}
	for _, h := range j.Heads {
		if h.of(j.Name) {
			all = append(all, &witness{SignedHead: h.Head, where: h.Where, kind: given})
		}
	}
	j.remembered = map[uint64][]*witness{}
	for _, w := range all {
		if w.Size <= j.end.Newest {
			j.remembered[w.Size] = append(j.remembered[w.Size], w)
		} else if w.kind == given {
			j.report(RolledBack, Error, j.end.Newest+1, "%s has a head of %d entries (root %s), and the journal ends with entry %d.",
				w.where, w.Size, w.Root.Base64(), j.end.Newest)
		}
	}
}

// outdated tells whether a head is of another name than the journal has now.
func (j *journal) outdated(w *witness) bool { return j.tip.Readable() && w.Origin != j.tip.Seal.Origin }

// ours tells whether a head can be one of the journal's writers: a person who may write to the store may put any head there.
func (j *journal) ours(w *witness) bool {
	return len(j.Keys) == 0 || j.ring(w.Origin).JudgeHead(w.SignedHead) == nil
}

// hold holds the heads of the tree that ends with an entry, and of the tree before it, against the entry.
func (j *journal) hold(s checkpoint.Stored) {
	if sealed, err := seal.ReadHead(s.Seal.Head); err == nil {
		for _, w := range j.remembered[s.Serial-1] {
			if !w.settled && (w.Origin == sealed.Origin || w.Root == sealed.Root) {
				j.compare(w, sealed.Head)
			}
		}
	}
	if h := j.end.Hint; h.Serial == s.Serial && s.Serial < j.end.Newest && h.SHA256 != s.SHA256 && h.SHA256 != "" {
		j.report(HeadChanged, Error, s.Serial, "Entry %d has the SHA-256 %s, and the hint says that it was %s.", s.Serial, s.SHA256, h.SHA256)
	}
	own, err := s.TreeHead()
	if err != nil {
		return // Parse has refused such an entry
	}
	if s.Serial == j.end.Newest {
		j.stream.Head = own.Text()
	}
	for _, w := range j.remembered[s.Serial] {
		if !w.settled {
			j.compare(w, own)
		}
	}
}

// compare compares a witness with the head of the same size that the entries make.
func (j *journal) compare(w *witness, own seal.Head) {
	w.settled = true
	switch {
	case w.Root == own.Root && (w.Origin != own.Origin || w.Text() == own.Text()): // an adoption gives another name to the same entries
		w.agrees = true
		if w == j.noted && w.Size == j.end.Newest {
			j.stream.Head = w.Note()
		}
	case w.Origin != own.Origin:
		j.foreign(w, own.Origin)
	case w.Root != own.Root:
		j.report(Forked, Error, w.Size, "There are two heads of %d entries: %s has the root %s, and the entries make %s.",
			w.Size, w.where, w.Root.Base64(), own.Root.Base64())
	default:
		j.report(HeadChanged, Error, w.Size, "The head of %d entries in %s says cursor %s and %d records, and the entries say %s and %d.",
			w.Size, w.where, stamp(w.Cursor), w.Records, stamp(own.Cursor), own.Records)
	}
}

// foreign reports a head of another journal. An adoption begins a journal of another name over entries that may be lost, so that
// earlier hints of the first name are no fault.
func (j *journal) foreign(w *witness, origin string) {
	if w.kind == earlier {
		j.others = append(j.others, w)
		return
	}
	j.report(HeadUnknown, Error, w.Size, "The head of %d entries in %s is of the journal %s, and this one is %s.",
		w.Size, w.where, w.Origin, origin)
}

// unsettled holds the heads that no entry so far was compared with against the newest entry, by a proof out of few entries.
func (j *journal) unsettled(ctx context.Context) {
	var left []*witness
	for _, of := range j.remembered {
		left = append(left, slices.DeleteFunc(slices.Clone(of), func(w *witness) bool { return w.settled })...)
	}
	slices.SortStableFunc(left, func(a, b *witness) int { return cmp.Or(cmp.Compare(a.Size, b.Size), cmp.Compare(a.where, b.where)) })
	tip, err := j.tip.TreeHead()
	if err != nil || !j.whole() {
		j.unchecked(left, errors.New("the entries are not as they were committed"))
		return
	}
	nodes := j.nodes(ctx)
	for _, w := range left {
		proof, err := seal.ProveConsistency(w.Size, tip.Size, nodes)
		switch {
		case err != nil && ctx.Err() != nil:
			return
		case errors.Is(err, fs.ErrNotExist), errors.As(err, new(unreadable)):
			j.unchecked([]*witness{w}, err)
			continue
		case err != nil:
			j.unread(err)
			return
		}
		w.settled = true
		switch err := proof.Check(w.Root, tip.Root); {
		case err == nil:
			w.agrees = true
		case w.Origin != tip.Origin:
			j.foreign(w, tip.Origin)
		default:
			j.report(Forked, Error, w.Size, "%s has a head of %d entries with the root %s, and the journal's %d entries did not grow out of "+
				"that tree.", w.where, w.Size, w.Root.Base64(), tip.Size)
		}
	}
	if len(j.others) > 0 && j.past.adoption == nil {
		severity := Error
		if j.Depth == Heads { // an adoption may be among the earlier entries
			severity = Warning
		}
		w := j.others[0]
		j.report(HeadUnknown, severity, 0, "%d earlier versions of the hint are of another journal, such as %s of %d entries of %s, and no "+
			"adoption explains that.", len(j.others), w.where, w.Size, w.Origin)
	}
}

// whole tells whether nothing was found about the entries so far.
func (j *journal) whole() bool {
	return j.tip.Readable() && !slices.ContainsFunc(j.found.list, func(f Finding) bool {
		return f.Severity == Error && strings.HasPrefix(string(f.Code), "entr")
	})
}

// unchecked reports the heads from outside that cannot be compared.
func (j *journal) unchecked(left []*witness, why error) {
	for _, w := range left {
		if w.kind == given {
			j.report(HeadUnchecked, Warning, 0, "The head of %d entries in %s cannot be compared with the journal: %v.", w.Size, w.where, why)
		}
	}
}

// unreadable says that an entry that a proof needs is not readable.
type unreadable struct{ error }

// nodes are the nodes of the journal's tree, each out of the entry that completes it. The entries are trusted by nothing: a proof out
// of them has to be checked.
func (j *journal) nodes(ctx context.Context) seal.Nodes {
	var mu sync.Mutex
	known := map[uint64]*seal.Entry{}
	return seal.FromEntries(func(serials []uint64) ([]*seal.Entry, error) {
		entries := make([]*seal.Entry, len(serials))
		g, ctx := errgroup.WithContext(ctx)
		g.SetLimit(parallel)
		for i, serial := range serials {
			g.Go(func() (err error) {
				mu.Lock()
				e := known[serial]
				mu.Unlock()
				if e == nil {
					e, err = j.sealed(ctx, serial)
				}
				mu.Lock()
				defer mu.Unlock()
				entries[i], known[serial] = e, e
				return err
			})
		}
		return entries, g.Wait()
	})
}

// sealed reads an entry as far as the seal goes.
func (j *journal) sealed(ctx context.Context, serial uint64) (*seal.Entry, error) {
	body, _, _, err := j.Positions.Get(ctx, j.Key(serial))
	if err != nil {
		return nil, err
	}
	e, err := seal.ReadEntry(body)
	if err == nil && e.Serial != serial {
		err = fmt.Errorf("it says that it is entry %d", e.Serial)
	}
	if err != nil {
		return nil, unreadable{fmt.Errorf("entry %d: %w", serial, err)}
	}
	return e, nil
}
