package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"houndtrail/checkpoint"
	"houndtrail/config"
	"houndtrail/exporter"
	"houndtrail/exporter/dedup"
	"houndtrail/sink/archive/read"
	"houndtrail/sink/bucket"
)

func (p *program) adopt() *cobra.Command {
	var reason string
	var dry bool
	output := choice{"table", []string{"table", "json"}}
	cmd := &cobra.Command{
		Use:   "adopt --reason TEXT",
		Short: "Rebuild the archive's lost journal from its files",
		Long: `Rebuild the journal of the archive from the archive's own files, when it is lost: its bucket or volume is gone, or it is
damaged and there is no backup. Without a journal houndtrail run stops with exit code 6, since everything would be
archived a second time.

Every file of the tenant is read: its window and the ids of its records. They become the first entry of a new journal
(or one more entry, if there is a journal that does not account for all of them). The next run goes on from the latest
window, and compares all of the archive's time with BloodHound once, so that no record is lost or archived twice.

A damaged journal is gone on from: the new entry follows what is there. If the journal of a backfill is damaged or lost, this
makes what it delivered the stream's own. Stop houndtrail run first: the journal's lease is needed. The reason is kept in
the journal.`,
		Example: `  houndtrail adopt --dry-run
  houndtrail adopt --reason "the volume with the journal was lost"`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if reason == "" && !dry {
				return &usageError{errors.New(`--reason is needed: say what happened, for those who read the journal later; ` +
					`such as --reason "the volume with the journal was lost"`)}
			}
			need := config.NeedExport | config.NeedArchive
			c, err := p.load(need)
			if err != nil {
				return err
			}
			log := p.logger(c.Log)
			defer log.Sync() //nolint:errcheck // standard error cannot be synced everywhere
			return p.adoptArchive(cmd.Context(), c, log, reason, dry, output.value)
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "what happened; kept in the journal")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only read the archive and say what is in it")
	cmd.Flags().VarP(&output, "output", "o", "table or json")
	return cmd
}

func (p *program) adoptArchive(ctx context.Context, c *config.Config, log *zap.Logger, reason string, dry bool, form string) error {
	all, err := p.streams(ctx, c, log, newMetrics())
	if err != nil {
		return &usageError{err}
	}
	b, err := bucket.Open(ctx, string(c.Archive.URL), s3Options(c.S3, nil))
	if err != nil {
		return &usageError{err}
	}
	found, survey, err := surveyArchive(ctx, b, c.Tenant)
	if err != nil {
		return &streamError{archiveStream, &exporter.Error{Stage: exporter.StageSink, Err: err}}
	}
	a := adoptionOf(survey)
	if dry {
		return a.print(p.stdout, form)
	}
	positions, err := bucket.Open(ctx, string(c.Checkpoint.URL), s3Options(c.S3, checkpoint.Rewritten))
	if err != nil {
		return &usageError{err}
	}
	entry, err := all[0].Adopt(ctx, journal(c, positions, archiveStream, string(c.Archive.URL)), found, reason)
	if err != nil {
		return &streamError{archiveStream, err}
	}
	a.Entry = &entry.Checkpoint
	// What a backfill has delivered is the stream's own from now on. Its journal only has to be readable again.
	beside := journal(c, positions, archiveStream+backfillSuffix, string(c.Archive.URL))
	if _, err := beside.Load(ctx); errors.Is(err, checkpoint.ErrCorrupt) {
		mended, err := all[0].Adopt(ctx, beside, found, reason)
		if err != nil {
			return errors.Join(a.print(p.stdout, form), &streamError{archiveStream + backfillSuffix, err})
		}
		a.Backfill = &mended.Checkpoint
	}
	return a.print(p.stdout, form)
}

// surveyArchive reads what the archive holds.
func surveyArchive(ctx context.Context, b read.Bucket, tenant string) (exporter.Found, read.Found, error) {
	var delivered dedup.Builder
	survey, err := read.Survey(ctx, b, tenant, func(id int64, createdAt time.Time) error {
		delivered.Add(id, createdAt)
		return nil
	})
	if err != nil {
		return exporter.Found{}, survey, err
	}
	if survey.Objects == 0 {
		return exporter.Found{}, survey, &usageError{fmt.Errorf("there is nothing to adopt: %s has no file of the tenant %s; "+
			"houndtrail run begins a new archive there", b, tenant)}
	}
	newest := survey.Newest
	return exporter.Found{
		Delivered: delivered.Set(), From: survey.From, To: survey.To, Newest: &newest,
		MaxID: survey.MaxID, MaxPass: survey.MaxPass, Objects: survey.Objects, Records: survey.Records,
	}, survey, nil
}

// An adoption is what was found and, unless it was a dry run, the entry that says so.
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
	Backfill   *checkpoint.Checkpoint `json:"backfill_entry,omitempty"` // of the backfill's journal, where that was damaged
}

func adoptionOf(f read.Found) adoption {
	return adoption{
		Objects: f.Objects, Bytes: f.Bytes, Records: f.Records, From: f.MinCreatedAt.UTC(), To: f.MaxCreatedAt.UTC(),
		Encodings: f.Encodings, Duplicates: f.Duplicates, Unknown: f.Unknown,
	}
}

func (a adoption) print(w io.Writer, form string) error {
	if form == "json" {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		return e.Encode(a)
	}
	fmt.Fprintf(w, "archive: %d records in %d files (%s), created from %s to %s\n", a.Records, a.Objects,
		strings.Join(a.Encodings, ", "), instantCell(a.From), instantCell(a.To))
	if a.Duplicates > 0 {
		fmt.Fprintf(w, "archive: %d records stand in more than one file\n", a.Duplicates)
	}
	for _, key := range a.Unknown {
		fmt.Fprintf(w, "archive: %s is no file of an archive, and was not read\n", key)
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
		a.Entry.Serial, instantCell(a.Entry.Cursor.UTC()), instantCell(a.Entry.DeliveredSince.UTC()))
	return nil
}
