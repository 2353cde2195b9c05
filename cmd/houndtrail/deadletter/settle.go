package deadletter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/show"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/sink/webhook"
)

// An order says which letters to settle.
type order struct {
	all        bool
	reason, by string
	wait       time.Duration
	output     Choice
}

// flags are the flags that retry and drop have in common.
func (p *Program) flags(cmd *cobra.Command, o *order) {
	o.output = p.Output()
	f := cmd.Flags()
	f.BoolVar(&o.all, "all", false, "all open letters")
	f.DurationVar(&o.wait, "wait-lease", waitLease, "how long to wait while a run holds the lease")
	f.VarP(o.output, "output", "o", "form of the answer")
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		switch {
		case o.wait < 0:
			return stream.Usagef("--wait-lease: want a duration that is not negative, such as 90s")
		case o.all && len(args) > 0:
			return stream.Usagef("--all and event ids exclude each other: leave one out")
		case o.all:
			return nil
		}
		return some(cmd, args)
	}
}

func (p *Program) retry() *cobra.Command {
	var o order
	cmd := &cobra.Command{
		Use:   "retry EVENT_ID... | --all",
		Short: "Send letters again, and close those that the SIEM takes",
		Long: `Send letters again, each alone, with the bytes that the receiver refused before, and with the same event id. If the
receiver takes a letter, the journal gets an entry that says so, and the letter is closed. If it refuses the letter
again, the letter stays open, and the exit code is 4.

If the command is killed between the receiver's answer and the entry, the next retry sends that letter once more.

It takes the journal's lease. It may run beside houndtrail run: it waits for the end of the cycle, and the cycles
wait for it. If the journal is signed, it needs HOUNDTRAIL_SIGNING_KEY.`,
		Example: `  houndtrail deadletter retry acme/123/1768480496123456
  houndtrail deadletter retry --all`,
		RunE: func(cmd *cobra.Command, args []string) error {
			set, err := p.Set(need | config.NeedDelivery | config.NeedCommit)
			if err != nil {
				return err
			}
			receiver, err := set.Receiver()
			if err != nil {
				return err
			}
			return p.settle(cmd.Context(), set, args, &o, func(ctx context.Context, s *settling) error { return s.send(ctx, receiver) })
		},
	}
	p.flags(cmd, &o)
	return cmd
}

func (p *Program) drop() *cobra.Command {
	var o order
	cmd := &cobra.Command{
		Use:   "drop EVENT_ID... --reason TEXT",
		Short: "Close letters that the SIEM shall never have",
		Long: `Close letters without sending them: the receiver never gets these records. The journal gets an entry with their ids
and the reason, which history and verify show for good. The archive still has the records, and the objects of the
letters stay beside the journal.

It takes the journal's lease, as retry does. If the journal is signed, it needs HOUNDTRAIL_SIGNING_KEY.`,
		Example: `  houndtrail deadletter drop acme/123/1768480496123456 --reason "a test record"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if strings.TrimSpace(o.reason) == "" {
				return stream.Usagef(`--reason is needed: say why the receiver never gets these records, for those who read the journal later`)
			}
			set, err := p.Set(need | config.NeedCommit)
			if err != nil {
				return err
			}
			return p.settle(cmd.Context(), set, args, &o, func(ctx context.Context, s *settling) error { return s.drop(ctx, o) })
		},
	}
	p.flags(cmd, &o)
	cmd.Flags().StringVar(&o.reason, "reason", "", "why the receiver never gets them; kept in the journal")
	cmd.Flags().StringVar(&o.by, "by", "", "who decided it; kept in the journal")
	return cmd
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
func (p *Program) settle(
	ctx context.Context, set *stream.Set, ids []string, o *order, do func(context.Context, *settling) error,
) error {
	open, err := openLetters(ctx, set)
	if err == nil {
		open, err = chosen(open, ids, o.all)
	}
	if err != nil {
		return err
	}
	var failed []error
	out := p.results(o.output.String())
	for _, name := range journals() {
		mine := slices.DeleteFunc(slices.Clone(open), func(l openLetter) bool { return l.journal != name })
		if len(mine) == 0 {
			continue
		}
		journal, err := set.CommitJournal(ctx, name)
		if err != nil {
			return err
		}
		err = stream.UnderLease(ctx, journal, o.wait, func(ctx context.Context, lease *checkpoint.Lease) error {
			prev, err := journal.Load(ctx)
			if err != nil {
				return err
			}
			mine = slices.DeleteFunc(mine, func(l openLetter) bool { return !slices.ContainsFunc(prev.DeadLetters, l.Same) })
			return do(ctx, &settling{journal, lease, prev, mine, set.Now, out.add})
		})
		if err = errors.Join(err, set.AnchorJournal(ctx, name, journal)); err != nil {
			failed = append(failed, &stream.Error{Stream: name, Err: stream.At(exporter.StageCheckpoint, err)})
		}
	}
	return errors.Join(append([]error{out.table.Flush()}, failed...)...)
}

// send sends the letters, and commits an entry for each that the receiver takes. After an answer that is not about the record alone,
// it sends no other letter.
func (s *settling) send(ctx context.Context, receiver *webhook.Sink) error {
	var failed []error
	for _, l := range s.letters {
		letter, err := l.box.Read(ctx, l.Letter)
		var sent checkpoint.Object
		if err == nil {
			sent, err = receiver.Resend(ctx, letter)
		}
		if err != nil {
			failed = append(failed, stream.At(exporter.StageSink, err))
			if err := s.tell(l, "still open", err); err != nil {
				return err
			}
			if !webhook.OfRecord(err) {
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

// drop commits one entry for all of the letters.
func (s *settling) drop(ctx context.Context, o order) error {
	if len(s.letters) == 0 {
		return nil
	}
	settled := checkpoint.Settlement{Reason: o.reason, By: o.by}
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

func (p *Program) results(form string) results {
	table := show.NewTable(p.Stdout, []show.Column[result]{
		{Name: "EVENT ID", Cell: func(r result) string { return show.Cell(r.EventID) }},
		{Name: "RESULT", Cell: func(r result) string { return r.Result }},
	})
	return results{table, func(l openLetter, what string, err error) error {
		r := result{EventID: l.id, Result: what}
		if err != nil {
			r.Problem = fmt.Sprint(err)
		}
		if form == "json" {
			return show.JSON(p.Stdout, r)
		}
		return table.Add(r)
	}}
}
