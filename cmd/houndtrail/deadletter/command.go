// Package deadletter is the command houndtrail deadletter: it shows the records that the webhook's receiver refuses, sends them
// again, or drops them.
//
// To look, it takes no lease. To send or drop, it takes the journal's lease, as every commit does: so it works beside a running
// exporter, between two of its cycles. If the exporter is in a cycle, the command waits.
package deadletter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/show"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/webhook/deadletter"
)

// A Program is the access of the commands to the outside.
type Program struct {
	Stdout, Stderr io.Writer
	// Set loads the configuration, with the settings that the command needs.
	Set func(need config.Need) (*stream.Set, error)
	// Output makes the flag -o, with the forms table and json. The flag's String is the form.
	Output func() Choice
}

// A Choice is a flag that takes one of several words.
type Choice interface {
	String() string
	Set(word string) error
	Type() string
}

// Command is the command with its commands.
func (p *Program) Command() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "deadletter",
		Short: "Send or drop refused records",
		Long: `With HOUNDTRAIL_DEAD_LETTER=on, a record that the webhook's receiver refuses, even alone in its batch, does not stop
the stream. It goes into the dead letter, beside the journal: the receiver's answer, and the bytes that the receiver
got. The archive has the record in any case.

As long as a letter is open, status says "dead letter", and the exit code of status and of run --once is 4: the
receiver lacks a record. A letter is open until retry has sent it, or until drop has said why the receiver never
gets it. Both are entries of the journal.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(p.list(), p.show(), p.retry(), p.drop())
	return cmd
}

// need is the need of a command that only looks.
const need = config.NeedStream | config.NeedCheckpoint | config.NeedTenant

func (p *Program) list() *cobra.Command {
	output := p.Output()
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the open letters, oldest first",
		Long: `List the open letters of the webhook stream and of its backfill, oldest first. It takes no lease, and needs no secret.
With -o json, each letter is an object on one line.`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			set, err := p.Set(need)
			if err != nil {
				return err
			}
			open, err := openLetters(cmd.Context(), set)
			if err != nil {
				return err
			}
			return p.print(cmd.Context(), open, output.String())
		},
	}
	cmd.Flags().VarP(output, "output", "o", "form of the letters")
	return cmd
}

func (p *Program) show() *cobra.Command {
	return &cobra.Command{
		Use:   "show EVENT_ID",
		Short: "Show a letter, with the bytes that the SIEM refuses",
		Long: `Show an open letter: what the receiver answered, and below that the bytes of the record exactly as the receiver got
them. It takes no lease, and needs no secret.`,
		Args: cobra.MatchAll(some, func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return stream.Usagef("show takes one event id, got %d", len(args))
			}
			return nil
		}),
		RunE: func(cmd *cobra.Command, args []string) error {
			set, err := p.Set(need)
			if err != nil {
				return err
			}
			open, err := openLetters(cmd.Context(), set)
			if err == nil {
				open, err = chosen(open, args, false)
			}
			if err != nil {
				return err
			}
			l, err := open[0].box.Read(cmd.Context(), open[0].Letter)
			if err != nil {
				return &stream.Error{Stream: open[0].journal, Err: stream.At(exporter.StageSink, err)}
			}
			if err := show.Pretty(p.Stdout, l); err != nil {
				return err
			}
			_, err = fmt.Fprintf(p.Stdout, "\n%s\n", l.Item)
			return err
		},
	}
}

// An openLetter is an open letter of a journal.
type openLetter struct {
	checkpoint.Letter

	id      string // the event id
	journal string
	box     *deadletter.Box
}

// journals are the journals that can have letters.
func journals() []string { return []string{stream.Webhook, stream.BackfillOf(stream.Webhook)} }

func openLetters(ctx context.Context, set *stream.Set) (all []openLetter, err error) {
	for _, journal := range journals() {
		box, err := set.Letters(ctx, journal)
		if err != nil {
			return nil, err
		}
		open, err := box.Open(ctx)
		if err != nil {
			return nil, &stream.Error{Stream: journal, Err: stream.At(exporter.StageCheckpoint, err)}
		}
		for _, l := range open {
			id := ndjson.EventID(set.Tenant(), &record.Record{ID: l.ID, CreatedAt: l.CreatedAt})
			all = append(all, openLetter{l, id, journal, box})
		}
	}
	return all, nil
}

// chosen are the open letters with these event ids, or all of them.
func chosen(open []openLetter, ids []string, all bool) (found []openLetter, err error) {
	if all {
		return open, nil
	}
	for _, id := range ids {
		before := len(found)
		for _, l := range open {
			if l.id == id {
				found = append(found, l)
			}
		}
		if len(found) == before {
			return nil, stream.Usagef("no open letter has the event id %q: houndtrail deadletter list shows those that are open; a letter that "+
				"was sent or dropped is in the journal: houndtrail history --stream webhook -o json", id)
		}
	}
	return found, nil
}

// A row is a letter as list prints it.
type row struct {
	Stream string `json:"stream"`
	deadletter.Letter
	Problem string `json:"problem,omitempty"` // why the letter cannot be read
}

// print prints letters. It also prints those that cannot be read.
func (p *Program) print(ctx context.Context, open []openLetter, form string) error {
	var problems []error
	table := show.NewTable(p.Stdout, []show.Column[row]{
		{Name: "EVENT ID", Cell: func(r row) string { return show.Cell(r.EventID) }},
		{Name: "REFUSED", Cell: func(r row) string { return show.Second(r.RefusedAt) }},
		{Name: "BACKFILL", Cell: func(row) string { return "yes" }, Needed: func(r row) bool { return r.Stream != stream.Webhook }},
		{Name: "ANSWER", Cell: func(r row) string { return show.Cell(r.Answer + r.Problem) }},
	})
	for _, o := range open {
		l, err := o.box.Read(ctx, o.Letter)
		r := row{Stream: o.journal, Letter: l}
		if err != nil {
			problems = append(problems, &stream.Error{Stream: o.journal, Err: stream.At(exporter.StageSink, err)})
			r.EventID, r.Problem = o.id, err.Error()
		}
		r.Item = nil // only its size counts here
		if form == "json" {
			err = show.JSON(p.Stdout, r)
		} else {
			err = table.Add(r)
		}
		if err != nil {
			return err
		}
	}
	if form == "table" && len(open) == 0 {
		fmt.Fprintln(p.Stdout, "The dead letter is empty: the receiver lacks no record.")
	}
	return errors.Join(append([]error{table.Flush()}, problems...)...)
}

// none accepts no arguments.
func none(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return stream.Usagef("%s takes no arguments, got %q; see: %s --help", cmd.Name(), args[0], cmd.CommandPath())
	}
	return nil
}

// some accepts one argument or more.
func some(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return stream.Usagef("%s needs an event id, as houndtrail deadletter list shows it; see: %s --help", cmd.Name(), cmd.CommandPath())
	}
	return nil
}

// waitLease is how long a command waits for the lease by default.
const waitLease = 90 * time.Second
