package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"houndtrail/checkpoint"
	"houndtrail/config"
	"houndtrail/exporter"
	"houndtrail/sink/bucket"
)

func (p *program) acceptReset() *cobra.Command {
	var reason, from string
	name := choice{"all", []string{"all", archiveStream, webhookStream}}
	output := choice{"table", []string{"table", "json"}}
	cmd := &cobra.Command{
		Use:   "accept-reset --reason TEXT",
		Short: "Go on after the source was restored or replaced",
		Long: `Go on after BloodHound's database was restored from a backup, begun anew, or replaced by another server. Until then
houndtrail run stops with exit code 6, since nobody but you can tell whether that is meant.

A new lineage begins in the journal of each stream. It goes on from the last position, or from the server's clock where
that is behind it; from there on every record is new, whatever its id. What is archived stays as it is. With --from it
goes on from an earlier time: another server's history, or what was recorded while a clock was wrong. Records of that
time that were exported already are then exported again.

Stop houndtrail run first: the journal's lease is needed. The reason is kept in the journal.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if reason == "" {
				return &usageError{errors.New(`--reason is needed: say what happened, for those who read the journal later; ` +
					`such as --reason "restored from the backup of Monday"`)}
			}
			c, err := p.load(config.NeedExport)
			if err != nil {
				return err
			}
			log := p.logger(c.Log)
			defer log.Sync() //nolint:errcheck // standard error cannot be synced everywhere
			client, err := p.client(c.BloodHound, log, newMetrics())
			if err != nil {
				return &usageError{err}
			}
			latest, err := resetFrom(from)
			if err != nil {
				return err
			}
			now, err := client.Now(cmd.Context())
			if err != nil {
				return &exporter.Error{Stage: exporter.StageSource, Err: err}
			}
			if horizon := now.Add(-c.Settle); latest.IsZero() || horizon.Before(latest) {
				latest = horizon
			}
			return p.resetStreams(cmd.Context(), c, name.value, reason, output.value, latest.Truncate(time.Microsecond))
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "what happened; kept in the journal")
	cmd.Flags().StringVar(&from, "from", "", "go on from this time, if it is before the last position (RFC 3339)")
	cmd.Flags().Var(&name, "stream", "archive, webhook or all")
	cmd.Flags().VarP(&output, "output", "o", "table or json")
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

// resetStreams starts each stream's new lineage, not later than at latest.
func (p *program) resetStreams(ctx context.Context, c *config.Config, which, reason, form string, latest time.Time) error {
	b, err := bucket.Open(ctx, string(c.Checkpoint.URL), s3Options(c.S3, checkpoint.Rewritten))
	if err != nil {
		return &usageError{err}
	}
	names := []string{which}
	if which == "all" {
		names = configured(c)
	}
	var errs []error
	for _, name := range names {
		destination, err := destinationOf(c, name)
		if err == nil {
			var r reset
			if r, err = resetStream(ctx, journal(c, b, name, destination), latest, reason); err == nil {
				err = r.print(p.stdout, form)
			}
		}
		if err != nil {
			errs = append(errs, &streamError{name, err})
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

// A reset is a new lineage and the entry before it.
type reset struct {
	before, begun checkpoint.Stored
	unfinished    *checkpoint.Window // an attempt that was not committed: it may have left objects
}

func resetStream(ctx context.Context, j *checkpoint.Journal, latest time.Time, reason string) (r reset, err error) {
	failed := func(err error) error { return &exporter.Error{Stage: exporter.StageCheckpoint, Err: err} }
	lease, err := j.Acquire(ctx)
	if err != nil {
		return reset{}, failed(err)
	}
	defer func() {
		if e := lease.Release(context.WithoutCancel(ctx)); e != nil {
			err = errors.Join(err, failed(e))
		}
	}()
	if r.before, err = j.Load(lease.Context()); errors.Is(err, checkpoint.ErrNotFound) { //nolint:contextcheck // derived from ours
		return reset{}, &usageError{fmt.Errorf("there is nothing to reset: %w", err)}
	} else if err != nil {
		return reset{}, failed(err)
	}
	if intent, ok := lease.Intent(); ok && intent.Pass >= r.before.Epoch && !intent.Equal(r.before.Window) {
		r.unfinished = &intent
	}
	cursor := r.before.Cursor
	if latest.Before(cursor) {
		cursor = latest
	}
	next := checkpoint.Checkpoint{
		Kind:   checkpoint.KindReset,
		Window: checkpoint.Window{Start: cursor, End: cursor, Pass: r.before.Serial + 1},
		Start:  r.before.Start, StartAsked: r.before.StartAsked, Cursor: cursor,
		DeliveredSince: cursor, RescannedAt: r.before.RescannedAt,
		Reset: &checkpoint.Reset{Lineage: r.before.Lineage, Reason: reason},
	}
	if r.begun, err = j.Commit(lease.Context(), r.before, next); err != nil { //nolint:contextcheck // derived from ours
		return reset{}, failed(err)
	}
	return r, nil
}

func (r reset) print(w io.Writer, form string) error {
	if form == "json" {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		return e.Encode(r.begun.Checkpoint)
	}
	fmt.Fprintf(w, "%s: lineage %s ends with entry %d; lineage %s begins with entry %d and goes on from %s\n", r.begun.Stream,
		r.before.Lineage, r.before.Serial, r.begun.Lineage, r.begun.Serial, r.begun.Cursor.UTC().Format(time.RFC3339Nano))
	if r.unfinished != nil {
		fmt.Fprintf(w, "%s: the window %s to %s was begun and not committed: if the destination has anything of it, no entry "+
			"accounts for that, and the new lineage may deliver it again\n", r.begun.Stream,
			r.unfinished.Start.UTC().Format(time.RFC3339Nano), r.unfinished.End.UTC().Format(time.RFC3339Nano))
	}
	return nil
}
