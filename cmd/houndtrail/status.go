package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/show"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/status"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/exporter"
)

// statusOptions are the flags of status.
type statusOptions struct {
	offline, full bool
	output        choice
}

func (p *program) status() *cobra.Command {
	o := statusOptions{output: choice{"table", []string{"table", "wide", "json"}}}
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show how far each stream is",
		Long: fmt.Sprintf(`Show how far each stream is: its position (everything before it is delivered) and how far that is behind
(LAG), the records so far, the share of them that BloodHound's own count confirms exactly (COUNTED), and the time left until BloodHound
may drop records that are not exported yet (LEFT; HOUNDTRAIL_RETENTION). -o wide adds the last commit, the oldest record that
BloodHound still has, the destination, and who holds the lease. Nothing is written and no lease is taken, so it can be asked at
any time.

With --offline it takes no login and no file of a secret, and HOUNDTRAIL_BLOODHOUND_URL need not be set.

Lag is counted by BloodHound's clock. If BloodHound cannot be asked, or with --offline is not, or if its clock is more than
a minute ahead of this machine's, lag is counted by this machine's, and has a mark (*); that is no failure.

STATUS is what the next run would say, as far as that can be told without one: ok; not started; waiting (BloodHound has no
record yet); or holes (of late a record could not be had, and was left out). It is future (HOUNDTRAIL_START is still to come), clock,
changed, no journal, incomplete, damaged, rolled back, forked, foreign or signature if a run would stop, and newer if a newer
version wrote the journal.
Otherwise it tells how the last run ended, until one succeeds: failed, bad record, or one of the above. The reason is on
standard error then, and the exit code is that run's. It is compaction if the stream is well and its archive's compaction is not: that
failed, was cut off, or is overdue by HOUNDTRAIL_COMPACT_SCHEDULE. It is verification if the daemon's last verification found an error
(run houndtrail verify), could not read everything, or is overdue by HOUNDTRAIL_VERIFY_SCHEDULE. It is killed if the last run
did not end by itself, and stale if nothing was committed for more than an hour beyond two runs of HOUNDTRAIL_SCHEDULE; the exit code
is 7 then. Of a journal that is damaged or foreign the row shows the newest entry that can be read.

Holes are the word for as long as the ids of that time are remembered (HOUNDTRAIL_RESCAN): a record that is repaired meanwhile
is delivered after all. Later nothing reads it again, and they are a warning beside ok, with their number, for good.

The newest entry is verified against the previous one, and each link of the hash chain by reading the whole journal. Of one
with more than %d commits only the newest ones are read, unless --full asks for all.`, status.LongJournal),
		Example: `  houndtrail status
  houndtrail status --offline -o json | jq '{stream, status, lag_seconds}'`,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.showStatus(cmd.Context(), &o) },
	}
	f := cmd.Flags()
	f.BoolVar(&o.offline, "offline", false, "do not ask BloodHound")
	f.BoolVar(&o.full, "full", false, "verify the whole journal, however long it is")
	f.VarP(&o.output, "output", "o", "form of the answer; wide has all columns, json is one object a line for each stream")
	return cmd
}

func (p *program) showStatus(ctx context.Context, o *statusOptions) error {
	need := config.NeedStream | config.NeedCheckpoint
	if !o.offline {
		need |= config.NeedSource
	}
	c, err := p.load(need)
	if err != nil {
		return err
	}
	report, err := status.Of(ctx, c, p.asked().process(p.logger(c.Log)), status.Options{Offline: o.offline, Full: o.full})
	if err != nil {
		return err
	}
	for _, w := range report.Warnings {
		fmt.Fprintln(p.stderr, "houndtrail: warning:", w)
	}
	return errors.Join(status.Print(p.stdout, report.Rows, o.output.value, time.Now()), report.Failed)
}

func (p *program) history() *cobra.Command {
	var last int
	name := choice{stream.Archive, []string{
		stream.Archive, stream.Webhook, stream.BackfillOf(stream.Archive), stream.BackfillOf(stream.Webhook),
	}}
	output := choice{"table", []string{"table", "wide", "json"}}
	cmd := &cobra.Command{
		Use:   "history",
		Short: "Show the journal: every commit, oldest first",
		Long: `Show the journal of a stream: what each commit read and wrote, oldest first. Each entry and the hash chain are verified
on the way. What is wrong is told on standard error, and every entry that can be read is shown all the same, also of a
journal that is another stream's. The exit code is 6 then, unless an adoption (houndtrail adopt) follows what is wrong.
-o wide shows all columns, among them when each entry was committed, the end of its window, and its own SHA-256; -o json
prints the entries themselves, one a line.

KIND is export, rescan (a window that was read once more, in search of stragglers), history (records that appeared before what
was the start), ahead (records of times that were still to come), barrier (an attempt that had failed was made again, and
its own commit kept out), compact (one object took the place of others), forget (objects were removed on purpose), reset
(accept-reset), move or adopt.

COUNT is what BloodHound itself counts in the window: exact if that is what was read, bounded if records came in meanwhile (-o
wide shows between which numbers it lies), unknown if this BloodHound tells no count that can be used, or off
(HOUNDTRAIL_VERIFY_COUNT). HOLES (records that could not be had) and CHANGED (delivered records that were found altered or
gone at BloodHound) are shown if any entry has them; -o json names the records.

It takes the places of the journal and of the stream's destination, and no secret: neither a login nor a file is needed. If
HOUNDTRAIL_BLOODHOUND_URL or HOUNDTRAIL_TENANT is set, the journal has to be of that one.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if last < 0 {
				return stream.Usagef("--last %d: want a number of entries, or 0 for all", last)
			}
			c, err := p.load(config.NeedCheckpoint)
			if err != nil {
				return err
			}
			j, err := stream.NewSet(c, p.asked().process(p.logger(c.Log))).Journal(cmd.Context(), name.value)
			if err != nil {
				return err
			}
			return p.showHistory(cmd.Context(), j, name.value, last, output.value)
		},
	}
	cmd.Flags().IntVarP(&last, "last", "n", 0, "only the newest N entries (default: all)")
	cmd.Flags().Var(&name, "stream", "whose journal: one of "+strings.Join(name.allowed, ", "))
	cmd.Flags().VarP(&output, "output", "o", "form of the entries; wide has all columns, json is one object a line")
	return cmd
}

// showHistory prints every entry of a journal that it can read. Entries go to stdout. Each problem goes to stderr as soon as it
// is found.
func (p *program) showHistory(ctx context.Context, j *checkpoint.Journal, name string, last int, form string) error {
	out := show.NewEntries(p.stdout, form)
	entries, first := j.Survey(ctx), uint64(0)
	if last > 0 {
		entries = newestOf(ctx, j, last)
	}
	var problems []error
	shown := 0
	for entry, err := range entries {
		if err != nil {
			if err = stream.At(exporter.StageCheckpoint, err); !stream.UnsoundJournal(err) { // an error of the store, which may pass
				return errors.Join(out.End(false), err)
			}
			fmt.Fprintln(p.stderr, describe(err))
			problems = append(problems, err)
		}
		if first == 0 {
			first = entry.Serial
		}
		if !entry.Readable() {
			continue
		}
		if err == nil && entry.Kind == checkpoint.KindAdopt && len(problems) > 0 {
			fmt.Fprintf(p.stderr, "houndtrail: entry %d is an adoption: what is wrong before it does not count any more\n", entry.Serial)
			problems = nil
		}
		shown++
		if err := out.Add(entry); err != nil {
			return err
		}
	}
	if err := out.End(len(problems) == 0); err != nil {
		return err
	}
	if first > 1 && (last == 0 || shown < last) {
		fmt.Fprintf(p.stderr, "houndtrail: the journal begins with entry %d: the older ones were removed\n", first)
	}
	return problemsOf(name, problems)
}

// newestOf returns the last entries of a survey. If the journal is sound, it reads only the entries that it returns.
func newestOf(ctx context.Context, j *checkpoint.Journal, n int) iter.Seq2[checkpoint.Stored, error] {
	type found struct {
		checkpoint.Stored
		err error
	}
	collect := func(entries iter.Seq2[checkpoint.Stored, error]) (newest []found) {
		for entry, err := range entries {
			if newest = append(newest, found{entry, err}); len(newest) > n {
				newest = newest[1:]
			}
		}
		return newest
	}
	return func(yield func(checkpoint.Stored, error) bool) {
		newest := collect(j.Last(ctx, n))
		if slices.ContainsFunc(newest, func(f found) bool { return stream.UnsoundJournal(f.err) }) {
			newest = collect(j.Survey(ctx))
		}
		for _, f := range newest {
			if !yield(f.Stored, f.err) {
				return
			}
		}
	}
}

// A journalError says at the end that a journal is not sound. The command has already printed each problem.
type journalError struct {
	stream   string
	problems []error
}

func problemsOf(stream string, problems []error) error {
	if len(problems) == 0 {
		return nil
	}
	return &journalError{stream, problems}
}

func (e *journalError) Error() string {
	how := "a problem"
	if n := len(e.problems); n > 1 {
		how = fmt.Sprintf("%d problems", n)
	}
	return fmt.Sprintf("the journal of the %s stream has %s, told above; what can be read of it is on standard output", e.stream, how)
}

func (e *journalError) Unwrap() []error { return e.problems }
