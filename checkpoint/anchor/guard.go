package anchor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/checkpoint/seal"
	"github.com/houndtrail/houndtrail/config/setting"
)

const (
	// asking limits one look at the anchors, or the writing of one: a place that is down must not hold up a run.
	asking = 20 * time.Second
	// askAgain is how long a process relies on a look that found no fault. tryAgain is how long it waits after it found the place
	// down.
	askAgain, tryAgain = time.Hour, 10 * time.Minute
)

// A Report is a guard's knowledge of its journal's anchors after a look at them, or after it wrote one.
type Report struct {
	Size   uint64        // of the newest anchored head; 0 if there is none, or if the guard knows none
	Age    time.Duration // of that anchor; 0 if the guard wrote it
	Newest uint64        // the size of the journal
	Wrote  bool          // the guard wrote an anchor, or tried to: if Err is nil, the newest head is anchored now
	Err    error         // the guard could not ask the place and knows nothing; nil if the anchors agree with the journal
}

// A Guard compares a journal with its anchored heads, and anchors new heads. It is a [checkpoint.Memory]. It is safe for
// concurrent use.
//
// If the place does not answer, that is no error. The run goes on, since a second place that is down must not stop the archive.
// But the guard reports it, and never counts such a look as a good one.
type Guard struct {
	store bucket.Bucket
	tell  func(Report)
	now   func() time.Time

	mu       sync.Mutex
	seen     seal.Head // the journal's head at the last comparison
	until    time.Time // before that time, the guard does not compare a head that follows seen
	anchored seal.Head // the newest head that is anchored, as far as the guard knows
}

// NewGuard returns a guard of one journal in this process. The guard calls tell after each look and each write, unless it returns
// an integrity error.
func NewGuard(store bucket.Bucket, tell func(Report)) *Guard {
	return &Guard{store: store, tell: tell, now: time.Now}
}

// Compare implements [checkpoint.Memory]. It asks the store at the first call, and after that once an hour. If the journal does
// not go on from the last compared head, it asks at once.
func (g *Guard) Compare(ctx context.Context, newest seal.Head, at checkpoint.HeadAt) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	follows := g.seen.Origin == newest.Origin && (newest.Size > g.seen.Size || newest == g.seen)
	if follows && g.now().Before(g.until) {
		return nil
	}
	g.until = time.Time{}
	asked, cancel := context.WithTimeout(ctx, asking)
	defer cancel()
	found, err := g.look(asked, newest, at)
	switch {
	case errors.Is(err, checkpoint.ErrCorrupt) || ctx.Err() != nil:
		return err
	case err != nil:
		g.seen, g.until = newest, g.now().Add(tryAgain)
	default:
		g.seen, g.until, g.anchored = newest, g.now().Add(askAgain), seal.Head{}
		if found.Head != nil {
			g.anchored = found.Head.Head
		}
	}
	g.tell(Report{Size: g.anchored.Size, Age: found.Age, Newest: newest.Size, Err: err})
	return nil
}

// look compares the newest anchored head with the journal.
func (g *Guard) look(ctx context.Context, newest seal.Head, at checkpoint.HeadAt) (Anchor, error) {
	m, err := Of(g.store, newest.Origin)
	if err != nil {
		return Anchor{}, err
	}
	size, err := m.Newest(ctx, newest.Size)
	if err != nil || size == 0 {
		return Anchor{}, err
	}
	found, err := m.Read(ctx, size)
	if err != nil {
		return Anchor{}, err
	}
	had, known := newest, true
	if size != newest.Size { // a larger size is no fault if another runner has committed and anchored meanwhile
		had, known, err = at(ctx, size)
	}
	switch {
	case err != nil:
		return Anchor{}, fmt.Errorf("compare the journal with %s: %w", m.At(size), err)
	case !known && size > newest.Size:
		return Anchor{}, rolledBack(m, size, newest.Size)
	case !known:
		return Anchor{}, fmt.Errorf("compare the journal with %s: the entry after it was pruned, and only that one tells the head of "+
			"size %d: anchor heads more often than entries are removed", m.At(size), size)
	case had.Text() != found.Head.Text():
		return Anchor{}, fmt.Errorf("%w: the journal's head of size %d is %q, and %s remembers %q: %s", checkpoint.ErrForked, size,
			had.Text(), m.At(size), found.Head.Text(), whatToDo)
	}
	return found, nil
}

// whatToDo is the advice about a journal that differs from the anchored one.
const whatToDo = "a person or a program rewrote the journal, or set it back, and may have taken records out of the archive. Nothing " +
	"was written. Keep the anchored head, which is the evidence. Restore the journal's entries from the store's earlier versions or a " +
	"backup. If they are lost, houndtrail adopt rebuilds the archive's position from its own files, under a new origin"

func rolledBack(m Memory, said, size uint64) error {
	return fmt.Errorf("%w: %s remembers its head of size %d, and the journal has %d entries: %s", checkpoint.ErrRolledBack, m.At(said),
		said, size, whatToDo)
}

// Begin implements [checkpoint.Memory].
func (g *Guard) Begin(ctx context.Context, tenant, stream string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.seen == (seal.Head{}) && g.now().Before(g.until) {
		return nil
	}
	g.until = time.Time{}
	asked, cancel := context.WithTimeout(ctx, asking)
	defer cancel()
	lost, err := g.lost(asked, tenant, stream)
	if lost != nil || ctx.Err() != nil {
		return errors.Join(lost, ctx.Err())
	}
	g.seen, g.until = seal.Head{}, g.now().Add(askAgain)
	if err != nil {
		g.until = g.now().Add(tryAgain)
	}
	g.tell(Report{Err: err})
	return nil
}

// lost is the error for a journal that has no entry now, but had entries earlier.
func (g *Guard) lost(ctx context.Context, tenant, stream string) (lost, err error) {
	origins, err := Origins(ctx, g.store, tenant, stream)
	if len(origins) == 0 {
		return nil, err
	}
	m, err := Of(g.store, origins[0])
	if err != nil {
		return nil, err
	}
	size, err := m.Newest(ctx, 0)
	if err != nil {
		return nil, err
	}
	return fmt.Errorf("%w. If the journal was removed on purpose, or is a second one of the same name, give it another place for its "+
		"heads in %s", rolledBack(m, size, 0), setting.AnchorURL), nil
}

// Anchor remembers a head, unless it is remembered already. The caller knows that the newest entry of the head is in the store.
//
// It returns only integrity errors: [checkpoint.ErrForked] says that another head of that size is remembered. If the place does
// not answer, it reports that, and the next head supersedes this one. A crash before the answer leaves a correct anchor.
func (g *Guard) Anchor(ctx context.Context, note string) error {
	h, err := seal.ReadHead(note)
	if err != nil {
		return fmt.Errorf("anchor a head: %w", err)
	}
	m, err := Of(g.store, h.Origin)
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.anchored == h.Head {
		g.tell(Report{Size: h.Size, Newest: h.Size})
		return nil
	}
	asked, cancel := context.WithTimeout(ctx, asking)
	defer cancel()
	err = g.create(asked, m, h)
	switch {
	case errors.Is(err, checkpoint.ErrCorrupt):
		return err
	case err == nil:
		g.anchored = h.Head
	default:
		err = fmt.Errorf("anchor the head of size %d: %w", h.Size, err)
	}
	g.tell(Report{Size: g.anchored.Size, Newest: h.Size, Wrote: true, Err: err})
	return nil
}

// create writes the anchor. If there is one already, it must have the same text. Its signatures may differ: other keys may have
// signed it.
func (g *Guard) create(ctx context.Context, m Memory, h *seal.SignedHead) error {
	_, err := g.store.Put(ctx, m.Key(h.Size), []byte(h.Note()), "")
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	said, err := m.Read(ctx, h.Size)
	if err == nil && said.Head.Text() != h.Text() {
		err = fmt.Errorf("%w: this run's head of size %d is %q, and %s remembers %q: %s", checkpoint.ErrForked, h.Size, h.Text(),
			m.At(h.Size), said.Head.Text(), whatToDo)
	}
	return err
}
