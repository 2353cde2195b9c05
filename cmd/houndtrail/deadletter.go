package main

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/deadletter"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/config"
)

func (p *program) deadletter() *cobra.Command {
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
	cmd.AddCommand(p.listLetters(), p.showLetter(), p.retryLetters(), p.dropLetters())
	return cmd
}

// letterNeed is the need of a command that only looks at letters.
const letterNeed = config.NeedStream | config.NeedCheckpoint | config.NeedTenant

// letterSet loads the configuration for a command about letters.
func (p *program) letterSet(need config.Need) (*stream.Set, error) {
	c, err := p.load(need)
	if err != nil {
		return nil, err
	}
	return stream.NewSet(c, p.asked().process(p.logger(c.Log))), nil
}

func (p *program) listLetters() *cobra.Command {
	output := choice{"table", []string{"table", "json"}}
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the open letters, oldest first",
		Long: `List the open letters of the webhook stream and of its backfill, oldest first. It takes no lease, and needs no secret.
With -o json, each letter is an object on one line.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			set, err := p.letterSet(letterNeed)
			if err != nil {
				return err
			}
			return deadletter.List(cmd.Context(), set, p.stdout, output.value)
		},
	}
	cmd.Flags().VarP(&output, "output", "o", "form of the letters")
	return cmd
}

func (p *program) showLetter() *cobra.Command {
	return &cobra.Command{
		Use:   "show EVENT_ID",
		Short: "Show a letter, with the bytes that the SIEM refuses",
		Long: `Show an open letter: what the receiver answered, and below that the bytes of the record exactly as the receiver got
them. It takes no lease, and needs no secret.`,
		Args: cobra.MatchAll(someEvents, func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return stream.Usagef("show takes one event id, got %d", len(args))
			}
			return nil
		}),
		RunE: func(cmd *cobra.Command, args []string) error {
			set, err := p.letterSet(letterNeed)
			if err != nil {
				return err
			}
			return deadletter.Show(cmd.Context(), set, p.stdout, args[0])
		},
	}
}

// settlement adds the flags that retry and drop have in common. The order is whole when the command runs.
func settlement(cmd *cobra.Command, o *deadletter.Order) {
	output := choice{"table", []string{"table", "json"}}
	f := cmd.Flags()
	f.BoolVar(&o.All, "all", false, "all open letters")
	f.DurationVar(&o.Wait, "wait-lease", 90*time.Second, "how long to wait while a run holds the lease")
	f.VarP(&output, "output", "o", "form of the answer")
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		o.EventIDs, o.Form = args, output.value
		switch {
		case o.Wait < 0:
			return stream.Usagef("--wait-lease: want a duration that is not negative, such as 90s")
		case o.All && len(args) > 0:
			return stream.Usagef("--all and event ids exclude each other: leave one out")
		case o.All:
			return nil
		}
		return someEvents(cmd, args)
	}
}

func (p *program) retryLetters() *cobra.Command {
	var o deadletter.Order
	cmd := &cobra.Command{
		Use:   "retry EVENT_ID... | --all",
		Short: "Send letters again, and close those that the SIEM takes",
		Long: `Send letters again, each alone, with the bytes that the receiver refused before, and with the same event id. If the
receiver takes a letter, the journal gets an entry that says so, and the letter is closed. If it refuses the letter
again, the letter stays open, and the exit code is 4.

If the stream was moved to another format or schema, retry reads the record from the archive, or else from BloodHound,
and sends it in the new form.

If the command is killed between the receiver's answer and the entry, the next retry sends that letter once more.

It takes the journal's lease. It may run beside houndtrail run: it waits for the end of the cycle, and the cycles
wait for it. If the journal is signed, it needs HOUNDTRAIL_SIGNING_KEY.`,
		Example: `  houndtrail deadletter retry acme/123/1768480496123456
  houndtrail deadletter retry --all`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			set, err := p.letterSet(letterNeed | config.NeedDelivery | config.NeedCommit)
			if err != nil {
				return err
			}
			return deadletter.Retry(cmd.Context(), set, p.stdout, o)
		},
	}
	settlement(cmd, &o)
	return cmd
}

func (p *program) dropLetters() *cobra.Command {
	var o deadletter.Order
	cmd := &cobra.Command{
		Use:   "drop EVENT_ID... --reason TEXT",
		Short: "Close letters that the SIEM shall never have",
		Long: `Close letters without sending them: the receiver never gets these records. The journal gets an entry with their ids
and the reason, which history and verify show for good. The archive still has the records, and the objects of the
letters stay beside the journal.

It takes the journal's lease, as retry does. If the journal is signed, it needs HOUNDTRAIL_SIGNING_KEY.`,
		Example: `  houndtrail deadletter drop acme/123/1768480496123456 --reason "a test record"`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if strings.TrimSpace(o.Reason) == "" {
				return stream.Usagef(`--reason is needed: say why the receiver never gets these records, for those who read the journal later`)
			}
			set, err := p.letterSet(letterNeed | config.NeedCommit)
			if err != nil {
				return err
			}
			return deadletter.Drop(cmd.Context(), set, p.stdout, o)
		},
	}
	settlement(cmd, &o)
	cmd.Flags().StringVar(&o.Reason, "reason", "", "why the receiver never gets them; kept in the journal")
	cmd.Flags().StringVar(&o.By, "by", "", "who decided it; kept in the journal")
	return cmd
}

// someEvents accepts one event id or more.
func someEvents(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return stream.Usagef("%s needs an event id, as houndtrail deadletter list shows it; see: %s --help", cmd.Name(), cmd.CommandPath())
	}
	return nil
}
