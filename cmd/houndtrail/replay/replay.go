// Package replay sends a time again from the archive to the webhook, with the same event ids. It does not ask BloodHound.
//
// A replay is a backfill whose source is the archive. It has its own journal, so it goes on after an interruption, and moves no
// position of a stream. The journal's name comes from the order: the receiver, the form of the events, the filter, the time and the
// name that the user gave. So the same command goes on with the same replay, and another one is a replay of its own.
package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/show"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/exporter"
	source "github.com/houndtrail/houndtrail/exporter/replay"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// Need is the need of a replay. It needs no setting of BloodHound.
const Need = config.NeedArchive | config.NeedCheckpoint | config.NeedDelivery | config.NeedCommit

// Options are the order of a user.
type Options struct {
	From, To time.Time // From zero: from the archive's oldest record
	Name     string    // tells two replays of the same time apart; may be empty
	Output   string    // text or json

	Config         *config.Config
	Process        stream.Process
	Stdout, Stderr io.Writer
}

// Environ is the environment of a replay: that of the process, with the flags in place of the variables.
func Environ(environ []string, url, format, filter string) []string {
	environ = slices.Clone(environ)
	for name, value := range map[string]string{"WEBHOOK_URL": url, "WEBHOOK_FORMAT": format, "WEBHOOK_FILTER": filter} {
		if value == "" {
			continue
		}
		environ = slices.DeleteFunc(environ, func(line string) bool {
			set, _, _ := strings.Cut(line, "=")
			return set == config.Prefix+name || set == config.Prefix+name+"_FILE"
		})
		environ = append(environ, config.Prefix+name+"="+value)
	}
	return environ
}

// mostNamed is how many missing times an error names.
const mostNamed = 10

// Run sends the time. If the archive does not hold all of it, Run sends the rest, and returns an error that names the missing parts.
func Run(ctx context.Context, o Options) error {
	c, log := o.Config, o.Process.Log
	if !c.Webhook.URL.IsSet() {
		return stream.Usagef("there is no receiver: give --url, or set %sWEBHOOK_URL", config.Prefix)
	}
	set := stream.NewSet(c, o.Process)
	name, err := journalOf(set, c, &o)
	if err != nil {
		return err
	}
	b, err := set.Replay(ctx, name)
	if err != nil {
		return err
	}
	missing, err := o.plan(ctx, b)
	if err != nil {
		return err
	}
	work, abandon := stream.Finishing(ctx, c.StopGrace)
	defer abandon()
	progress := show.NewReplay(o.Stderr, log, stream.Webhook)
	b.Stream.Observer, b.Planned = progress, progress.Planned
	if c.ExcludeSelf {
		log.Warn("only BloodHound can tell which records are of Houndtrail's own requests, and a replay does not ask it: it sends them too")
	}
	err = stream.Abandoned(work, b.Run(work))
	if err == nil {
		err = lacks(missing)
	}
	err = errors.Join(err, b.Anchor(work)) // also after a failure: the heads of earlier commits have to be remembered elsewhere
	if err != nil {
		err = &stream.Error{Stream: stream.Webhook, Err: err}
	}
	return errors.Join(err, progress.End(o.Stdout, o.Output, err == nil))
}

// journalOf is the name of the replay's journal.
func journalOf(set *stream.Set, c *config.Config, o *Options) (string, error) {
	receiver, err := set.Destination(stream.Webhook)
	if err != nil {
		return "", err
	}
	at := func(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
	return stream.ReplayOf(
		receiver, string(c.Webhook.Format), string(c.Webhook.Schema), c.Webhook.Filter.String(), at(o.From), at(o.To), o.Name), nil
}

// plan sets the time that the replay sends. It returns what the archive lacks of the time that the user asked for.
func (o *Options) plan(ctx context.Context, b *stream.Replay) ([]source.Missing, error) {
	b.From, b.To = o.From, o.To
	if o.From.IsZero() {
		extent, err := b.Source.Extent(ctx, o.To)
		if err != nil {
			return nil, stream.At(exporter.StageSource, err)
		}
		if b.From = extent.Oldest; extent.Empty || !b.From.Before(o.To) {
			return nil, &exporter.RangeError{Problem: "the archive has no record before --to " + show.Instant(o.To)}
		}
	}
	missing, until, err := b.Source.Missing(ctx, window.Window{Start: b.From, End: b.To})
	switch {
	case err != nil:
		return nil, stream.At(exporter.StageSource, err)
	case b.To.After(until):
		return nil, &exporter.RangeError{Problem: fmt.Sprintf("the archive has its records up to %s only, and --to is %s; nothing was "+
			"sent. Give --to %s or earlier, or wait until the archive has come so far", show.Instant(until), show.Instant(b.To),
			until.Format(time.RFC3339Nano))}
	}
	for _, m := range missing {
		if m.Absent {
			b.Absent = append(b.Absent, m.Window)
		}
	}
	return missing, nil
}

// lacks returns one error about the missing parts; nil if there are none.
func lacks(missing []source.Missing) error {
	if len(missing) == 0 {
		return nil
	}
	var lines []error
	for _, m := range missing[:min(len(missing), mostNamed)] {
		when := show.Instant(m.Start)
		if m.Span() > 0 {
			when += " to " + show.Instant(m.End)
		}
		lines = append(lines, fmt.Errorf("%s: %s", when, m.Reason))
	}
	if more := len(missing) - len(lines); more > 0 {
		lines = append(lines, fmt.Errorf("and %d more", more))
	}
	err := fmt.Errorf("%w: Houndtrail sent everything that it holds, and the receiver may lack records because of what is said above",
		source.ErrNotWhole)
	return stream.At(exporter.StageSource, errors.Join(append(lines, err)...))
}
