package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/show"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/exporter"
)

func (p *program) move() *cobra.Command {
	var reason string
	name := choice{"all", []string{"all", stream.Archive, stream.Webhook}}
	output := choice{"table", []string{"table", "json"}}
	cmd := &cobra.Command{
		Use:   "move --reason TEXT",
		Short: "Go on after an address or a name has changed",
		Long: `Go on with the same journal after a change of a name or a place: the same BloodHound has a new address, the same
archive is at another place, the tenant has another name, or HOUNDTRAIL_ARCHIVE_FORMAT has another value. Until you
run move, houndtrail run stops with exit code 6, because the journal names its source and its destination.

First change the settings. If the archive and the journal get another place, copy them. Then move writes one entry
that names both identities. The position and the memory of delivered records stay. Use move for the same log and the
same archive only. If BloodHound was restored or replaced, use accept-reset.

If a run or a backfill was interrupted during a write, it has to be finished with the previous settings before the
tenant or the format can change. Then the message says so, and move changes nothing.

Files that were written under another HOUNDTRAIL_TENANT stay in their partition. Files of another format stay as they
are. New files have the new tenant and the new format.

Stop houndtrail run first, because move needs the journal's lease. The journal keeps the reason.`,
		Example: `  export HOUNDTRAIL_BLOODHOUND_URL=https://new-name.example
  houndtrail move --reason "BloodHound has a new host name"`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if reason == "" {
				return stream.Usage(errors.New(`--reason is needed: say what was moved, for those who read the journal later; ` +
					`such as --reason "BloodHound has a new host name"`))
			}
			c, err := p.load(config.NeedSource | config.NeedStream | config.NeedCheckpoint | config.NeedCommit)
			if err != nil {
				return err
			}
			return p.moveStreams(cmd.Context(), c, name.value, reason, output.value)
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "what was moved; kept in the journal")
	cmd.Flags().Var(&name, "stream", "whose journal")
	cmd.Flags().VarP(&output, "output", "o", "form of the answer")
	return cmd
}

func (p *program) moveStreams(ctx context.Context, c *config.Config, which, reason, form string) error {
	set := stream.NewSet(c, p.asked().process(p.logger(c.Log)))
	names, err := set.Chosen(which)
	if err != nil {
		return err
	}
	movable := map[string]*checkpoint.Journal{}
	var errs []error
	for _, name := range withBackfills(names) {
		journal, err := set.CommitJournal(ctx, name)
		if err == nil { // Movable takes no lease: if the journal does not exist, its lease would leave an object
			err = stream.At(exporter.StageCheckpoint, journal.Movable(ctx))
		}
		switch {
		case err == nil:
			movable[name] = journal
		case errors.Is(err, checkpoint.ErrUnmoved), errors.Is(err, checkpoint.ErrNotFound):
			// this is no error: the user need not move every journal, and not every stream has a backfill
		default:
			errs = append(errs, &stream.Error{Stream: name, Err: err})
		}
	}
	if len(errs) > 0 { // either all journals move or none: a run with the previous settings has to finish the open windows first
		return errors.Join(errs...)
	}
	if len(movable) == 0 {
		b, err := set.Journals(ctx)
		if err != nil {
			return err
		}
		return stream.Usagef("nothing was moved: no journal in %s belongs to anything else than what is configured", b)
	}
	for _, name := range slices.Sorted(maps.Keys(movable)) {
		entry, err := movable[name].Move(ctx, reason, set.Now())
		if err = stream.At(exporter.StageCheckpoint, err); err == nil {
			err = printMove(p.stdout, entry, form)
		}
		if err != nil {
			errs = append(errs, &stream.Error{Stream: name, Err: err})
		}
	}
	return errors.Join(errs...)
}

// withBackfills returns the names of the journals of the streams and of their backfills.
func withBackfills(streams []string) (names []string) {
	for _, name := range streams {
		names = append(names, name, stream.BackfillOf(name))
	}
	return names
}

func printMove(w io.Writer, entry checkpoint.Stored, form string) error {
	if form == "json" {
		return show.JSON(w, entry.Checkpoint)
	}
	from := entry.Moved.From
	for _, part := range []struct{ name, was, is string }{
		{"tenant", from.Tenant, entry.Tenant},
		{"source", from.Source, entry.Source},
		{"destination", from.Destination, entry.Destination},
		{"encoding", from.Encoding, entry.Encoding},
	} {
		if part.was != part.is {
			fmt.Fprintf(w, "%s: %s: %s is now %s\n", entry.Stream, part.name, part.was, part.is)
		}
	}
	fmt.Fprintf(w, "%s: entry %d says so; the stream goes on from %s\n", entry.Stream, entry.Serial, show.Instant(entry.Cursor))
	return nil
}

func (p *program) acceptReset() *cobra.Command {
	var reason, from string
	name := choice{"all", []string{"all", stream.Archive, stream.Webhook}}
	output := choice{"table", []string{"table", "json"}}
	cmd := &cobra.Command{
		Use:   "accept-reset --reason TEXT",
		Short: "Go on after the source was restored or replaced",
		Long: `Go on after BloodHound's database was restored from a backup, begun anew, or replaced by another server. It is also
for the case that both BloodHound's clock and this machine's were far ahead. Until you run accept-reset, houndtrail
run stops with exit code 6, because only you can tell whether the change is meant.

accept-reset begins a new lineage in the journal of each stream. The new lineage goes on from the last position that
neither BloodHound's clock nor this machine's contradicts. It knows the records that were delivered from there on, and
searches all of that time once. So no record is lost, and none is delivered twice. If BloodHound gives an old id to
another record, that record is new. The archived records stay as they are. With --from, the lineage goes on from an
earlier time, for another server's history. It knows the archive's records of that time too, but a webhook may see an
event again.

Stop houndtrail run first, because accept-reset needs the journal's lease. The journal keeps the reason.`,
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
			defer log.Sync() //nolint:errcheck // not every standard error can be synced
			return p.resetStreams(cmd.Context(), c, log, name.value, reason, output.value, earlier)
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "what happened; kept in the journal")
	cmd.Flags().StringVar(&from, "from", "", "go on from this time, if it is before the last position (RFC 3339)")
	cmd.Flags().Var(&name, "stream", "whose journal")
	cmd.Flags().VarP(&output, "output", "o", "form of the answer")
	return cmd
}

// resetFrom reads the flag --from; zero if the user did not set it.
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
