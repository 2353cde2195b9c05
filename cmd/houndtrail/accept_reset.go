package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/exporter"
)

func (p *program) acceptReset() *cobra.Command {
	var reason, from string
	name := choice{"all", []string{"all", archiveStream, webhookStream}}
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
				return &usageError{errors.New(`--reason is needed: say what happened, for those who read the journal later; ` +
					`such as --reason "restored from the backup of Monday"`)}
			}
			earlier, err := resetFrom(from)
			if err != nil {
				return err
			}
			c, err := p.load(config.NeedExport)
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

// resetFrom reads the flag; zero where it is not set.
func resetFrom(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}, &usageError{fmt.Errorf("--from %q: want a time such as 2026-01-31T00:00:00Z", text)}
	}
	return t, nil
}

// resetStreams starts each stream's new lineage.
func (p *program) resetStreams(
	ctx context.Context, c *config.Config, log *zap.Logger, which, reason, form string, from time.Time,
) error {
	all, err := p.streams(ctx, c, log, newMetrics(c.Tenant))
	if err != nil {
		return &usageError{err}
	}
	b, err := p.asked().positions(ctx, c, log)
	if err != nil {
		return err
	}
	if which != "all" {
		if _, err := destinationOf(c, which); err != nil {
			return err
		}
	}
	var errs []error
	for _, s := range all {
		if which != "all" && which != s.name {
			continue
		}
		destination, err := destinationOf(c, s.name)
		if err == nil {
			var r exporter.Reset
			if r, err = s.AcceptReset(ctx, journal(c, b, s.name, destination), from, reason); err == nil {
				err = printReset(p.stdout, r, form)
			}
		}
		if errors.Is(err, checkpoint.ErrNotFound) {
			err = &usageError{err}
		}
		if err != nil {
			errs = append(errs, &streamError{s.name, err})
		}
	}
	return errors.Join(errs...)
}

// configured are the names of the streams that are turned on.
func configured(c *config.Config) (names []string) {
	if c.Archive.URL != "" {
		names = append(names, archiveStream)
	}
	if c.Webhook.URL.IsSet() {
		names = append(names, webhookStream)
	}
	return names
}

func printReset(w io.Writer, r exporter.Reset, form string) error {
	if form == "json" {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		return e.Encode(r.Begun.Checkpoint)
	}
	_, err := fmt.Fprintf(w, "%s: lineage %s ends with entry %d; lineage %s begins with entry %d, goes on from %s and knows %d delivered "+
		"records\n", r.Begun.Stream, r.Previous.Lineage, r.Previous.Serial, r.Begun.Lineage, r.Begun.Serial,
		r.Begun.Cursor.UTC().Format(time.RFC3339Nano), r.Known)
	return err
}
