package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/show"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/dedup"
	"github.com/houndtrail/houndtrail/sink/archive/read"
)

func (p *program) adopt() *cobra.Command {
	var reason, forgotten string
	var dry bool
	output := choice{"table", []string{"table", "json"}}
	cmd := &cobra.Command{
		Use:   "adopt --reason TEXT",
		Short: "Rebuild the archive's lost journal from its files",
		Long: `Rebuild the lost journal of the archive from the archive's own files. You need this if the journal's bucket or volume
is gone, or if the journal is damaged and you have no backup. Without a journal, houndtrail run stops with exit code
6, because it would archive every record a second time.

adopt reads every file of the tenant: its window, and the ids of its records. From these it makes the first entry of a
new journal. If there is a journal that does not account for all files, it adds one entry to that journal. The next
run goes on from the latest window. Once, it also compares all of the archive's time with BloodHound, so no record is
lost or archived twice.

While adopt reads the files, it holds the leases of the archive's journal and of its backfill, so no other run can
write. If adopt finds a file with an unknown name, it stops: if that is a renamed file, a run would archive its
records a second time.

If the journal is damaged, the new entry follows the entries that exist. If the journal of a backfill is damaged or
lost, the stream's own journal now accounts for the records that the backfill delivered. houndtrail forget may have
removed old days, and the journal that said so may be gone with all its entries. Then say it again with
--forgotten-before: without it, a run would archive BloodHound's records of these days once more.

Stop houndtrail run first, because adopt needs the journal's lease. The journal keeps the reason.`,
		Example: `  houndtrail adopt --dry-run
  houndtrail adopt --reason "the volume with the journal was lost"`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if reason == "" && !dry {
				return stream.Usage(errors.New(`--reason is needed: say what happened, for those who read the journal later; ` +
					`such as --reason "the volume with the journal was lost"`))
			}
			before, err := timeOrDay("--forgotten-before", forgotten)
			if err != nil {
				return stream.Usage(err)
			}
			c, err := p.load(config.NeedLook | config.NeedArchive | config.NeedCommit)
			if err != nil {
				return err
			}
			log := p.logger(c.Log)
			defer log.Sync() //nolint:errcheck // not every standard error can be synced
			return p.adoptArchive(cmd.Context(), c, log, adoptOptions{reason, before, dry, output.value})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "what happened; kept in the journal")
	cmd.Flags().StringVar(&forgotten, "forgotten-before", "", "the day before which houndtrail forget removed the files")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only read the archive and say what is in it")
	cmd.Flags().VarP(&output, "output", "o", "form of the answer")
	return cmd
}

// adoptOptions are the flags of adopt.
type adoptOptions struct {
	reason    string
	forgotten time.Time
	dry       bool
	form      string
}

func (p *program) adoptArchive(ctx context.Context, c *config.Config, log *zap.Logger, o adoptOptions) error {
	source, err := stream.NewSet(c, p.process(log)).Source(nil)
	if err != nil {
		return err
	}
	set := stream.NewSet(c, p.asked().process(log))
	b, err := set.Files(ctx)
	if err != nil {
		return err
	}
	own, err := set.CommitJournal(ctx, stream.Archive)
	if err != nil {
		return err
	}
	backfill, err := set.CommitJournal(ctx, stream.BackfillOf(stream.Archive))
	if err != nil {
		return err
	}
	var a adoption
	survey := func(ctx context.Context) (found exporter.Found, err error) {
		found, a, err = surveyArchive(ctx, b, c.Tenant)
		found.Forgotten = o.forgotten
		return found, err
	}
	if o.dry {
		if _, err := survey(ctx); err != nil {
			return errors.Join(a.print(p.stdout, o.form), adoptError(stream.At(exporter.StageSink, err)))
		}
		return a.print(p.stdout, o.form)
	}
	done, err := set.Exporter(stream.Archive, source).Adopt(ctx, own, backfill, survey, o.reason)
	if done.Stream.Serial > 0 {
		a.Entry = &done.Stream.Checkpoint
	}
	if done.Backfill.Serial > 0 {
		a.Backfill = &done.Backfill.Checkpoint
	}
	if err != nil {
		err = adoptError(err)
	}
	if a.Entry == nil {
		return err
	}
	return errors.Join(a.print(p.stdout, o.form), err)
}

func adoptError(err error) error { return &stream.Error{Stream: stream.Archive, Err: err} }

// surveyArchive reads all of the archive. If Houndtrail cannot adopt the archive, it returns the adoption too, for the user to
// see.
func surveyArchive(ctx context.Context, b bucket.Reader, tenant string) (exporter.Found, adoption, error) {
	var delivered dedup.Builder
	survey, err := read.Survey(ctx, b, tenant, func(id int64, createdAt time.Time) error {
		delivered.Add(id, createdAt)
		return nil
	})
	a := adoptionOf(survey)
	if err != nil {
		return exporter.Found{}, a, err
	}
	if len(survey.Unknown) > 0 {
		return exporter.Found{}, a, unknownFiles(survey.Unknown, b, tenant)
	}
	if survey.Objects == 0 {
		return exporter.Found{}, a, stream.Usagef("there is nothing to adopt: %s has no file of the tenant %s; "+
			"houndtrail run begins a new archive there", b, tenant)
	}
	newest := survey.Newest
	return exporter.Found{
		Delivered: delivered.Set(), From: survey.From, To: survey.To, Newest: &newest,
		MaxID: survey.MaxID, MaxPass: survey.MaxPass, Objects: survey.Objects, Bytes: survey.Bytes,
		Records: survey.Records,
	}, a, nil
}

// unknownFiles names the files that keep Houndtrail from adopting the archive: if one of them is a renamed file, a run would
// archive its records a second time.
func unknownFiles(keys []string, b bucket.Reader, tenant string) error {
	const most = 10
	names := strings.Join(keys[:min(most, len(keys))], ", ")
	if len(keys) > most {
		names += fmt.Sprintf(" and %d more", len(keys)-most)
	}
	return fmt.Errorf("%w: %s. Each may hold records that would be archived a second time, so nothing was adopted. If a file was "+
		"renamed, give it its name again (a Parquet file's metadata names its window). Move all others out of %s/%s, and run "+
		"houndtrail adopt again", stream.ErrUnknownFiles, names, b, read.Prefix(tenant))
}

// An adoption has the figures of the archive. Unless it was a dry run, it also has the entry that adopts the archive.
type adoption struct {
	Objects    int                    `json:"objects"`
	Bytes      int64                  `json:"bytes"`
	Records    int64                  `json:"records"`
	From       time.Time              `json:"min_created_at"`
	To         time.Time              `json:"max_created_at"`
	Encodings  []string               `json:"encodings"`
	Duplicates int64                  `json:"duplicates"`
	Unknown    []string               `json:"unknown,omitempty"`
	Entry      *checkpoint.Checkpoint `json:"entry,omitempty"`
	Backfill   *checkpoint.Checkpoint `json:"backfill_entry,omitempty"` // of the backfill's journal, if that journal was damaged
}

func adoptionOf(f read.Found) adoption {
	return adoption{
		Objects: f.Objects, Bytes: f.Bytes, Records: f.Records, From: f.MinCreatedAt.UTC(), To: f.MaxCreatedAt.UTC(),
		Encodings: f.Encodings, Duplicates: f.Duplicates, Unknown: f.Unknown,
	}
}

func (a adoption) print(w io.Writer, form string) error {
	if form == "json" {
		return show.JSON(w, a)
	}
	if a.Objects == 0 {
		return nil // the error says so
	}
	fmt.Fprintf(w, "archive: %d records in %d files (%s), created from %s to %s\n", a.Records, a.Objects,
		strings.Join(a.Encodings, ", "), show.Instant(a.From), show.Instant(a.To))
	if a.Duplicates > 0 {
		fmt.Fprintf(w, "archive: %d records stand in more than one file\n", a.Duplicates)
	}
	if len(a.Unknown) > 0 { // the error names them
		return nil
	}
	if a.Entry == nil {
		fmt.Fprintln(w, "archive: nothing was written; without --dry-run this becomes an entry of the journal")
		return nil
	}
	if a.Backfill != nil {
		defer fmt.Fprintf(w, "archive-backfill: entry %d goes over what was damaged; the stream itself accounts for what was backfilled\n",
			a.Backfill.Serial)
	}
	fmt.Fprintf(w, "archive: entry %d adopts them; the next run goes on from %s, and compares everything since %s with BloodHound\n",
		a.Entry.Serial, show.Instant(a.Entry.Cursor), show.Instant(a.Entry.DeliveredSince))
	return nil
}
