package deadletter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/show"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/sink/webhook"
	"github.com/houndtrail/houndtrail/sink/webhook/deadletter"
)

// An Order says which letters to settle, and how.
type Order struct {
	EventIDs []string
	All      bool          // all open letters, instead of those of EventIDs
	Reason   string        // of Drop; the journal keeps it
	By       string        // who decided to drop them; the journal keeps it
	Wait     time.Duration // how long to wait while a run holds the lease
	Form     string        // of the answer: table or json
}

// Retry sends letters again, each alone, and closes those that the receiver takes. If one is refused again, the error says so.
func Retry(ctx context.Context, set *stream.Set, out io.Writer, o Order) error {
	receiver, err := set.Receiver()
	if err != nil {
		return err
	}
	return settle(ctx, set, out, o, func(ctx context.Context, s *settling) error { return s.send(ctx, set, receiver) })
}

// Drop closes letters without sending them, for the reason of the order.
func Drop(ctx context.Context, set *stream.Set, out io.Writer, o Order) error {
	return settle(ctx, set, out, o, func(ctx context.Context, s *settling) error { return s.drop(ctx, o) })
}

// A settling settles letters of one journal, under its lease.
type settling struct {
	journal *checkpoint.Journal
	lease   *checkpoint.Lease
	prev    checkpoint.Stored
	letters []openLetter
	now     func() time.Time
	tell    func(l openLetter, result string, err error) error
}

// settle calls do for each journal that has one of the letters. do gets only letters that are still open: the journal is read again
// under the lease.
func settle(
	ctx context.Context, set *stream.Set, out io.Writer, o Order, do func(context.Context, *settling) error,
) error {
	open, err := openLetters(ctx, set)
	if err == nil {
		open, err = chosen(open, o.EventIDs, o.All)
	}
	if err != nil {
		return err
	}
	var failed []error
	answer := newResults(out, o.Form)
	for _, name := range journals() {
		mine := slices.DeleteFunc(slices.Clone(open), func(l openLetter) bool { return l.journal != name })
		if len(mine) == 0 {
			continue
		}
		journal, err := set.CommitJournal(ctx, name)
		if err != nil {
			return err
		}
		err = stream.UnderLease(ctx, journal, o.Wait, func(ctx context.Context, lease *checkpoint.Lease) error {
			prev, err := journal.Load(ctx)
			if err != nil {
				return err
			}
			mine = slices.DeleteFunc(mine, func(l openLetter) bool { return !slices.ContainsFunc(prev.DeadLetters, l.Same) })
			return do(ctx, &settling{journal, lease, prev, mine, set.Now, answer.add})
		})
		if err = errors.Join(err, set.AnchorJournal(ctx, name, journal)); err != nil {
			failed = append(failed, &stream.Error{Stream: name, Err: stream.At(exporter.StageCheckpoint, err)})
		}
	}
	return errors.Join(append([]error{answer.table.Flush()}, failed...)...)
}

// send sends the letters, and commits an entry for each that the receiver takes. After a failure that is not about one letter alone,
// it sends no other letter.
func (s *settling) send(ctx context.Context, set *stream.Set, receiver *webhook.Sink) error {
	var failed []error
	for _, l := range s.letters {
		sent, err := resend(ctx, set, receiver, l)
		if err != nil {
			failed = append(failed, stream.At(exporter.StageSink, err))
			if err := s.tell(l, "still open", err); err != nil {
				return err
			}
			if !webhook.OfRecord(err) && !errors.Is(err, deadletter.ErrUnreadable) && !errors.Is(err, stream.ErrNoRecord) {
				return errors.Join(failed...)
			}
			continue
		}
		// A crash here leaves the letter open, although the receiver has the record: the next retry sends it again, under the same
		// event id.
		ref := l.Letter
		ref.SHA256 = ""
		if err := s.commit(ctx, checkpoint.Settlement{Sent: []checkpoint.Letter{ref}}, []checkpoint.Object{sent}); err != nil {
			return errors.Join(append(failed, err)...)
		}
		if err := s.tell(l, "sent", nil); err != nil {
			return err
		}
	}
	return errors.Join(failed...)
}

// resend sends a letter once more. If the stream has another format or schema by now, resend writes the record anew. The letter has
// only the refused bytes, so the record comes from the archive or from BloodHound.
func resend(ctx context.Context, set *stream.Set, receiver *webhook.Sink, l openLetter) (checkpoint.Object, error) {
	letter, err := l.box.Read(ctx, l.Letter)
	if err != nil {
		return checkpoint.Object{}, err
	}
	if receiver.Writes(letter) {
		return receiver.Resend(ctx, letter, nil)
	}
	record, err := set.Record(ctx, letter.ID, letter.CreatedAt)
	if err != nil {
		return checkpoint.Object{}, fmt.Errorf("event %s has the form %s, which the stream no longer sends: %w. The letter stays open. "+
			"houndtrail deadletter show %s prints its bytes: give them to the receiver by hand, and then run houndtrail deadletter drop with "+
			"that reason", letter.EventID, letter.Form(), err, l.id)
	}
	return receiver.Resend(ctx, letter, &record)
}

// drop commits one entry for all of the letters.
func (s *settling) drop(ctx context.Context, o Order) error {
	if len(s.letters) == 0 {
		return nil
	}
	settled := checkpoint.Settlement{Reason: o.Reason, By: o.By}
	for _, l := range s.letters {
		settled.Dropped = append(settled.Dropped, l.Letter)
	}
	if err := s.commit(ctx, settled, nil); err != nil {
		return err
	}
	for _, l := range s.letters {
		if err := s.tell(l, "dropped", nil); err != nil {
			return err
		}
	}
	return nil
}

func (s *settling) commit(ctx context.Context, settled checkpoint.Settlement, sent []checkpoint.Object) (err error) {
	s.prev, err = s.journal.SettleLetters(ctx, s.lease, s.prev, settled, sent)
	return stream.At(exporter.StageCheckpoint, err)
}

// A result is what became of a letter.
type result struct {
	EventID string `json:"event_id"`
	Result  string `json:"result"` // sent, dropped or still open
	Problem string `json:"problem,omitempty"`
}

type results struct {
	table *show.Table[result]
	add   func(l openLetter, what string, err error) error
}

func newResults(out io.Writer, form string) results {
	table := show.NewTable(out, []show.Column[result]{
		{Name: "EVENT ID", Cell: func(r result) string { return show.Cell(r.EventID) }},
		{Name: "RESULT", Cell: func(r result) string { return r.Result }},
	})
	return results{table, func(l openLetter, what string, err error) error {
		r := result{EventID: l.id, Result: what}
		if err != nil {
			r.Problem = fmt.Sprint(err)
		}
		if form == "json" {
			return show.JSON(out, r)
		}
		return table.Add(r)
	}}
}
