package verify

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sort"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/seal"
)

// signed notes whether an entry is signed. If one entry of a journal is signed, all later ones must be.
func (j *journal) signed(s checkpoint.Stored) {
	switch {
	case s.Signed && j.signedSince == 0:
		j.signedSince = s.Serial
	case !s.Signed && (j.lastSigned || s.NewestKeys() > 0 && j.before.NewestKeys() == 0):
		j.report(Downgraded, Error, s.Serial, "Entry %d is not signed, and an entry before it says that the journal is: another writer "+
			"wrote it, or its signatures were removed.", s.Serial)
	}
	j.lastSigned = s.Signed
}

// signatures opens the signatures on which all others depend. A signed head vouches for all entries in its tree, and the
// verification has already compared the entries with it. So the signature of the newest head is enough, with those of the entries
// after it.
func (j *journal) signatures(ctx context.Context) {
	if j.signedSince > j.stream.First && j.Depth != Heads && j.Sample == nil && j.whole() {
		j.report(SignedLate, Info, 0, "Signing began with entry %d: the earlier entries stand under the heads since then, and not under one of "+
			"their own time.", j.signedSince)
	}
	if !j.tip.Readable() || len(j.Keys) == 0 && !j.ring(j.tip.Seal.Origin).Told() {
		return
	}
	for _, of := range j.remembered {
		for _, w := range of {
			if w.kind == given && w.Signed() {
				j.judged(w, HeadSignature)
			}
		}
	}
	if !j.tip.Signed {
		if j.signedSince == 0 && len(j.Keys) > 0 { // otherwise there is already a finding
			j.report(Downgraded, Error, j.tip.Serial, "Entry %d, the newest, is not signed, although you gave a key.", j.tip.Serial)
		}
		return
	}
	vouched := uint64(0)
	if j.noted != nil && j.judged(j.noted, HintSignature) && j.noted.agrees {
		vouched = j.noted.Size
	}
	bad := false
	if sealed, err := seal.ReadHead(j.tip.Seal.Head); err == nil && vouched < sealed.Size {
		if j.judged(&witness{SignedHead: sealed, where: fmt.Sprintf("entry %d", j.tip.Serial)}, HeadSignature) {
			vouched = sealed.Size
		} else {
			bad = true
		}
	}
	if vouched < j.tip.Serial {
		bad = j.opened(ctx, j.tip.Serial) || bad
	}
	if bad {
		j.forged(ctx)
	}
}

// ring returns the keyring for a journal with that name.
func (j *journal) ring(origin string) *seal.Keyring {
	if ring := j.rings[origin]; ring != nil {
		return ring
	}
	return seal.NewKeyring(origin, j.Keys...)
}

// judged tells whether a given key signed a head. If not, it reports that.
func (j *journal) judged(w *witness, code Code) bool {
	err := j.ring(w.Origin).JudgeHead(w.SignedHead)
	if err != nil {
		j.report(code, Error, w.Size, "The head of %d entries in %s is not one that you can rely on: %v.", w.Size, w.where, err)
	}
	return err == nil
}

// opened opens the signature of an entry, and tells whether it is bad.
func (j *journal) opened(ctx context.Context, serial uint64) (bad bool) {
	switch err := j.judgeEntry(ctx, serial); {
	case err == nil:
		return false
	case errors.Is(err, fs.ErrNotExist), errors.As(err, new(unreadable)):
		return false // there is already a finding
	case isJudgement(err):
		j.report(EntrySignature, Error, serial, "Entry %d is not one that you can rely on: %v.", serial, err)
		return true
	default:
		j.unread(err)
		return false
	}
}

func (j *journal) judgeEntry(ctx context.Context, serial uint64) error {
	e, err := j.sealed(ctx, serial)
	if err != nil {
		return err
	}
	return j.ring(e.Seal.Origin).Judge(e)
}

// isJudgement tells an error about signatures from an error of the store.
func isJudgement(err error) bool {
	return slices.ContainsFunc([]error{
		seal.ErrUnsigned, seal.ErrUnknownKey, seal.ErrBadSignature, seal.ErrDowngraded, seal.ErrInactive, seal.ErrRevoked,
	}, func(judgement error) bool { return errors.Is(err, judgement) })
}

// forged looks for the first entry that no given key signed. From there on, another writer wrote the journal. All entries before
// that one are good, so a binary search opens few signatures.
func (j *journal) forged(ctx context.Context) {
	from := max(j.stream.First, j.signedSince)
	if j.Depth == Heads {
		from = max(1, j.ring(j.tip.Seal.Origin).Since())
	}
	n := int(j.tip.Serial - from + 1)
	k := sort.Search(n, func(i int) bool { return isJudgement(j.judgeEntry(ctx, from+uint64(i))) })
	if serial := from + uint64(k); k < n && serial < j.tip.Serial {
		text := fmt.Sprintf("Entry %d is the first one that no key signed that you gave", serial)
		if k == 0 {
			text += ", and so is each later one that was looked at: the key may be a wrong one"
		}
		j.report(EntrySignature, Error, serial, "%s.", text)
	}
}

// signer says who signed an entry that is not as committed; "" if the reader gave no key.
func (j *journal) signer(ctx context.Context, serial uint64) string {
	if len(j.Keys) == 0 {
		return ""
	}
	switch err := j.judgeEntry(ctx, serial); {
	case err == nil:
		return " A key that you gave signed what is there now."
	case isJudgement(err):
		return fmt.Sprintf(" Of what is there now: %v.", err)
	default:
		return ""
	}
}

// unreadable is the error if a proof needs an entry that cannot be read.
type unreadable struct{ error }

// nodes returns the nodes of the journal's tree, each from the entry that completes it. The entries are not trusted, so the caller
// must check a proof that uses them.
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

// sealed reads an entry, but only its seal and its signatures.
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
