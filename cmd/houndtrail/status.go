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
		Long: fmt.Sprintf(`Show how far each stream is. Its position is the time up to which everything is delivered. LAG is how far the position
is behind now. There is also the number of records so far, and the share of them that BloodHound's own count confirms
exactly (COUNTED). LEFT is the time until BloodHound may drop records that are not exported yet
(HOUNDTRAIL_RETENTION). -o wide adds the last commit, the oldest record that BloodHound still has, the destination,
and the holder of the lease. status writes nothing and takes no lease, so you can run it at any time.

With --offline it needs no login and no file with a secret, and HOUNDTRAIL_BLOODHOUND_URL need not be set.

status measures the lag by BloodHound's clock. It uses this machine's clock in three cases: BloodHound does not
answer, you set --offline, or BloodHound's clock is more than a minute ahead of this machine's. Then the lag has a
mark (*). That is no failure.

STATUS tells how the next run would end, as far as status can see that without a run. It is ok; not started; waiting
(BloodHound has no record yet); holes (a short time ago Houndtrail could not get a record, and left it out); or dead
letter (the SIEM refuses records, see houndtrail deadletter; the exit code is 4). If a
run would stop, it is future (HOUNDTRAIL_START is in the future), clock, changed, no journal, incomplete, damaged,
rolled back, forked, foreign or signature. It is newer if a newer version wrote the journal.

If the last run failed, STATUS tells how, until a run succeeds: failed, bad record, or one of the words above. Then
the reason is on standard error, and the exit code is that run's. It is compaction if the stream is well, but the
archive's compaction has failed, was cut off, or is overdue by HOUNDTRAIL_COMPACT_SCHEDULE. It is verification if the
daemon's last verification found an error (run houndtrail verify), could not read everything, or is overdue by
HOUNDTRAIL_VERIFY_SCHEDULE. It is killed if the last run did not end by itself. It is stale if there was no commit for
more than an hour beyond two runs of HOUNDTRAIL_SCHEDULE. For killed and stale, the exit code is 7. If a journal is
damaged or foreign, the row shows the newest entry that can be read.

STATUS stays holes as long as the journal remembers the ids of that time (HOUNDTRAIL_RESCAN). If a person repairs the
row in that time, Houndtrail delivers the record. After that, Houndtrail does not read the row again: STATUS is ok,
and a warning with the number of holes stays for good.

status verifies the newest entry against the previous one. It verifies each link of the hash chain, and reads the
whole journal for that. If a journal has more than %d commits, it reads only the newest ones, unless you set --full.`, status.LongJournal),
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
		Long: `Show the journal of a stream: what each commit read and wrote, oldest first. On the way, the command verifies each
entry and the hash chain. It prints each problem to standard error, and still shows every entry that it can read, even
if the journal is another stream's. If there is a problem, the exit code is 6, unless an adoption (houndtrail adopt)
follows the problem. -o wide shows all columns, for example the time of each commit, the end of its window, and its
own SHA-256. -o json prints the entries themselves, one a line.

KIND is export, rescan (Houndtrail read a window again, to find late records), history (records that appeared before
the stream's start), ahead (records with times in the future), barrier (Houndtrail repeated an attempt, and this entry
rejects a late commit of the first one), compact (one object replaced others), forget (a user removed objects on
purpose), letters (letters were sent or dropped), reset (accept-reset), move or adopt.

COUNT compares the records with BloodHound's own count of the window. It is exact if the two are equal, bounded if
records came in during the count (-o wide shows the two bounds), unknown if this BloodHound tells no usable count, or
off (HOUNDTRAIL_VERIFY_COUNT). HOLES are records that Houndtrail could not get. CHANGED are delivered records that
BloodHound has changed or removed. LETTERS are records that the SIEM refused. These columns appear if an entry has such
records; -o json names the records.

The command needs the places of the journal and of the stream's destination. It needs no secret: no login, and no
file. If HOUNDTRAIL_BLOODHOUND_URL or HOUNDTRAIL_TENANT is set, the journal has to belong to that server or tenant.`,
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
