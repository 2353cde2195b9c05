package deadletter

import (
	"context"
	"fmt"
	"sync"

	"github.com/houndtrail/houndtrail/checkpoint"
)

const (
	// Most is how many of the last [Among] records may go into the dead letter. If a receiver refuses more of them, each alone, the
	// records are not at fault, but an index, a mapping, a schema or a token. More than Most records in a row are a case of this.
	Most = 10
	// Among is a number of records in a row.
	Among = 1000
	// MostOpen is how many letters may be open. Every entry of the journal lists them, and people should look at them before there
	// are so many.
	MostOpen = 1000
)

// A tally counts the latest letters among the latest records, in the order of the receiver's answers. A restart must not begin the
// count anew: otherwise, restarts would put a whole backlog into the dead letter, a few records each time. So the tally begins with
// the letters that the journal has.
type tally struct {
	mu     sync.Mutex
	begun  bool
	base   int64            // the records that the journal had passed when the tally began
	passed int64            // records that the receiver took or refused since then
	at     map[event]*place // of the letters
}

// An event names a record.
type event struct{ id, micro int64 }

func eventOf(l checkpoint.Letter) event { return event{l.ID, l.CreatedAt.UnixMicro()} }

// A place is the place of a letter among the records.
type place struct {
	nth       int64
	committed bool // an entry names the letter
}

func newTally() tally { return tally{at: map[event]*place{}} }

// Begin prepares the count with the letters of the journal. The caller calls it before it sends the first record.
func (b *Box) Begin(ctx context.Context) error {
	b.tally.mu.Lock()
	begun := b.tally.begun
	b.tally.mu.Unlock()
	if begun {
		return nil
	}
	_, err := b.sync(ctx)
	return err
}

// Passed counts records that the receiver took.
func (b *Box) Passed(records int) {
	b.tally.mu.Lock()
	defer b.tally.mu.Unlock()
	b.tally.passed += int64(records)
}

// Judge decides about a record that the receiver refuses. It returns an error if the record must not go into the dead letter. If the
// window fails later, the caller withdraws the record.
func (b *Box) Judge(ctx context.Context, l checkpoint.Letter) (err error) {
	open, err := b.sync(ctx)
	if err != nil {
		return fmt.Errorf("read which letters are open: %w", err)
	}
	t := &b.tally
	t.mu.Lock()
	defer t.mu.Unlock()
	t.passed++
	t.at[eventOf(l)] = &place{nth: t.passed}
	defer func() {
		if err != nil {
			delete(t.at, eventOf(l))
		}
	}()
	waiting, near := 0, 0
	for _, p := range t.at {
		if !p.committed {
			waiting++
		}
		if p.nth > t.passed-Among {
			near++
		}
	}
	switch {
	case near > Most:
		return &AlikeError{Records: near}
	case open+waiting > MostOpen:
		return &FullError{Open: open}
	}
	return nil
}

// Withdraw takes records back that Judge counted: their window has failed, and its next attempt sends them again.
func (b *Box) Withdraw(letters ...checkpoint.Letter) {
	b.tally.mu.Lock()
	defer b.tally.mu.Unlock()
	for _, l := range letters {
		if p := b.tally.at[eventOf(l)]; p != nil && !p.committed {
			delete(b.tally.at, eventOf(l))
		}
	}
}

// sync compares the count with the newest entry. If a letter is open, but another process wrote it, the tally counts it. If a letter
// was settled, the tally no longer counts it. It also forgets letters that lie far behind.
func (b *Box) sync(ctx context.Context) (open int, err error) {
	newest, err := b.load(ctx)
	if err != nil {
		return 0, err
	}
	t := &b.tally
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.begun {
		t.begun, t.base = true, newest.Passed()
	}
	still := map[event]bool{}
	for _, l := range newest.DeadLetters {
		e := eventOf(l)
		still[e] = true
		if t.at[e] == nil {
			t.at[e] = &place{nth: l.Nth - t.base}
		}
		t.at[e].committed = true
	}
	for e, p := range t.at {
		if p.committed && (!still[e] || p.nth <= t.passed-Among) {
			delete(t.at, e)
		}
	}
	return len(newest.DeadLetters), nil
}

// An AlikeError says that a receiver refuses too many of the last records.
type AlikeError struct{ Records int }

func (e *AlikeError) Error() string {
	return fmt.Sprintf("the receiver refuses %d of the last %d records, each alone, so this is no fault of the records", e.Records, Among)
}

// A FullError says that too many letters are open.
type FullError struct{ Open int }

func (e *FullError) Error() string {
	return fmt.Sprintf("%d letters are open, and no more fit into the dead letter: look at them with houndtrail deadletter list, mend the "+
		"receiver, and send them with houndtrail deadletter retry --all, or drop those that it shall never have", e.Open)
}
