package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/show"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/sink/archive/compact"
)

func (p *program) compact() *cobra.Command {
	var older, wait time.Duration
	var dry bool
	output := choice{"table", []string{"table", "json"}}
	cmd := &cobra.Command{
		Use:   "compact",
		Short: "Make one file of a closed day's many",
		Long: `Make one file of each closed day of the archive. A query then opens one file a day instead of hundreds. The file has
the same records, sorted, in the same folder, with the best compression. First the journal gets an entry that names
the new file, and the old files with their SHA-256. Then compact deletes the old files. In a bucket with versions or
Object Lock, they only get a delete marker, and every version stays.

compact uses a file only if its SHA-256 is the one in the journal. If it is not, the day stays as it is, and the exit
code is 6. If a late record of a compacted day comes, it makes a small file, and the next compaction adds it. If a day
is larger than memory, it becomes several files.

It may run beside houndtrail run: it takes the lease for a moment for each day, and waits while a run holds the lease.
If it is killed, the next compaction finishes its work. Until then, queries may see the records of one day twice. It
needs the right to delete files of the archive (s3:DeleteObject), and changes nothing without it. If the journal is
signed, it also needs HOUNDTRAIL_SIGNING_KEY. With --dry-run it does not need the key.`,
		Example: `  houndtrail compact --dry-run
  houndtrail compact --older-than 168h`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if older < 0 || wait < 0 {
				return stream.Usage(errors.New("--older-than and --wait-lease: want a duration that is not negative, such as 48h"))
			}
			need := config.NeedArchive | config.NeedCheckpoint | config.NeedTenant
			if !dry {
				need |= config.NeedCommit
			}
			c, err := p.load(need)
			if err != nil {
				return err
			}
			log := p.logger(c.Log)
			defer log.Sync() //nolint:errcheck // not every standard error can be synced
			compactor, err := stream.NewSet(c, p.asked().process(log)).Compaction(cmd.Context(), dry)
			if err != nil {
				return err
			}
			if cmd.Flags().Changed("older-than") {
				compactor.OlderThan = older
			}
			compactor.Wait = wait
			return p.compactArchive(cmd.Context(), compactor, output.value)
		},
	}
	cmd.Flags().DurationVar(&older, "older-than", 0,
		"how far the stream has to be past the end of a day (default: 48h, or HOUNDTRAIL_RESCAN and 24h if that is more)")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only say which days would be compacted")
	cmd.Flags().DurationVar(&wait, "wait-lease", 90*time.Second, "how long to wait while a run holds the lease")
	cmd.Flags().VarP(&output, "output", "o", "form of the answer")
	return cmd
}

func (p *program) compactArchive(ctx context.Context, c *stream.Compaction, form string) error {
	table := show.NewTable(p.stdout, compactColumns(c.DryRun))
	var told []error
	c.Done = func(d compact.Day) {
		if form == "json" {
			told = append(told, show.JSON(p.stdout, d))
			return
		}
		told = append(told, table.Add(d))
	}
	err := c.Run(ctx)
	if form == "table" && table.Empty() && err == nil {
		fmt.Fprintln(p.stdout, "archive: no day has files to compact")
	}
	return errors.Join(errors.Join(told...), table.Flush(), err)
}

// compactColumns are the columns of the result. A dry run cannot tell how large the new files would be.
func compactColumns(dry bool) []show.Column[compact.Day] {
	number := func(name string, of func(compact.Day) int64) show.Column[compact.Day] {
		return show.Column[compact.Day]{Name: name, Cell: func(d compact.Day) string { return strconv.FormatInt(of(d), 10) }}
	}
	columns := []show.Column[compact.Day]{
		{Name: "DAY", Cell: func(d compact.Day) string { return d.Day }},
		number("FILES", func(d compact.Day) int64 { return int64(d.Objects) }),
		number("BYTES", func(d compact.Day) int64 { return d.Bytes }),
		number("RECORDS", func(d compact.Day) int64 { return d.Records }),
	}
	if dry {
		return columns
	}
	return append(columns,
		number("NEW FILES", func(d compact.Day) int64 { return int64(d.Made) }),
		number("NEW BYTES", func(d compact.Day) int64 { return d.Size }))
}
