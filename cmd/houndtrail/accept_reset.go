package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/show"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/exporter"
)

func (p *program) acceptReset() *cobra.Command {
	var reason, from string
	name := choice{"all", []string{"all", stream.Archive, stream.Webhook}}
	output := choice{"table", []string{"table", "json"}}
	cmd := &cobra.Command{
		Use:   "accept-reset --reason TEXT",
		Short: "Go on after the source was restored or replaced",
		Long: `Go on after BloodHound's database was restored from a backup, begun anew, or replaced by another server, or after both
BloodHound's clock and this machine's were far ahead. Until then houndtrail run stops with exit code 6, since only you can
tell whether that is meant.

A new lineage begins in the journal of each stream. It goes on from the last position that both BloodHound's clock and this
machine's justify, knows what was delivered from there on, and searches all of that once: nothing is lost and nothing
delivered twice, and an id that is handed out again is a new record. What is archived stays as it is. With --from it
goes on from an earlier time, for another server's history; the archive's records of that time are known too, but a
webhook may see an event again.

Stop houndtrail run first: the journal's lease is needed. The reason is kept in the journal.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if reason == "" {
				return stream.Usage(errors.New(`--reason is needed: say what happened, for those who read the journal later; ` +
					`such as --reason "restored from the backup of Monday"`))
			}
			earlier, err := resetFrom(from)
			if err != nil {
				return err
			}
			c, err := p.load(config.NeedLook | config.NeedCommit)
			if err != nil {
				return err
			}
			log := p.logger(c.Log)
			defer log.Sync() //nolint:errcheck // standard error cannot be synced everywhere
			return p.resetStreams(cmd.Context(), c, log, name.value, reason, output.value, earlier)
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "what happened; kept in the journal")
	cmd.Flags().StringVar(&from, "from", "", "go on from this time, if it is before the last position (RFC 3339)")
	cmd.Flags().Var(&name, "stream", "whose journal")
	cmd.Flags().VarP(&output, "output", "o", "form of the answer")
	return cmd
}

// resetFrom reads the flag --from; zero if it is not set.
func resetFrom(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}, stream.Usagef("--from %q: want a time such as 2026-01-31T00:00:00Z", text)
	}
	return t, nil
}

// resetStreams starts each stream's new lineage.
func (p *program) resetStreams(
	ctx context.Context, c *config.Config, log *zap.Logger, which, reason, form string, from time.Time,
) error {
	source, err := stream.NewSet(c, p.process(log)).Source(nil)
	if err != nil {
		return err
	}
	set := stream.NewSet(c, p.asked().process(log))
	names, err := set.Chosen(which)
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range names {
		r, err := resetStream(ctx, set, name, source, from, reason)
		if err == nil {
			err = printReset(p.stdout, r, form)
		}
		if err != nil {
			errs = append(errs, &stream.Error{Stream: name, Err: err})
		}
	}
	return errors.Join(errs...)
}

func resetStream(
	ctx context.Context, set *stream.Set, name string, source exporter.Source, from time.Time, reason string,
) (r exporter.Reset, err error) {
	journal, err := set.CommitJournal(ctx, name)
	if err != nil {
		return r, err
	}
	e := set.Exporter(name, source)
	e.Store = journal
	if e.Destination, err = set.Held(ctx, name); err != nil {
		return r, err
	}
	r, err = e.AcceptReset(ctx, journal, from, reason)
	if errors.Is(err, checkpoint.ErrNotFound) {
		err = stream.Usage(err)
	}
	return r, err
}

func printReset(w io.Writer, r exporter.Reset, form string) error {
	if form == "json" {
		return show.JSON(w, r.Begun.Checkpoint)
	}
	_, err := fmt.Fprintf(w, "%s: lineage %s ends with entry %d; lineage %s begins with entry %d, goes on from %s and knows %d delivered "+
		"records\n", r.Begun.Stream, r.Previous.Lineage, r.Previous.Serial, r.Begun.Lineage, r.Begun.Serial,
		show.Instant(r.Begun.Cursor), r.Known)
	return err
}
