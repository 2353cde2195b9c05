package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"houndtrail/checkpoint"
	"houndtrail/config"
	"houndtrail/exporter"
	"houndtrail/sink/bucket"
)

func (p *program) history() *cobra.Command {
	var last int
	name := choice{archiveStream, []string{
		archiveStream, webhookStream, archiveStream + backfillSuffix, webhookStream + backfillSuffix,
	}}
	output := choice{"table", []string{"table", "json"}}
	cmd := &cobra.Command{
		Use:   "history",
		Short: "Show the journal: every commit, oldest first",
		Long: `Show the journal of a stream: what each commit read and wrote, oldest first. The hash chain is verified on the way;
where it is broken the command says so and exits with 6. -o json prints the entries themselves, one a line.

KIND is export, rescan (a window that was read once more, in search of stragglers), barrier (an attempt that had failed was made
again, and its own commit kept out) or reset (accept-reset).`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if last < 0 {
				return &usageError{fmt.Errorf("--last %d: want a number of entries, or 0 for all", last)}
			}
			c, err := p.load(config.NeedSource | config.NeedCheckpoint)
			if err != nil {
				return err
			}
			b, err := bucket.Open(cmd.Context(), string(c.Checkpoint.URL), s3Options(c.S3, checkpoint.Rewritten))
			if err != nil {
				return &usageError{err}
			}
			return showHistory(cmd.Context(), p.stdout, c, b, name.value, last, output.value)
		},
	}
	cmd.Flags().IntVarP(&last, "last", "n", 0, "only the newest N entries (default: all)")
	cmd.Flags().Var(&name, "stream", "archive, webhook, archive-backfill or webhook-backfill")
	cmd.Flags().VarP(&output, "output", "o", "table or json")
	return cmd
}

func showHistory(ctx context.Context, w io.Writer, c *config.Config, b checkpoint.Bucket, name string, last int, form string) error {
	destination, err := destinationOf(c, strings.TrimSuffix(name, backfillSuffix))
	if err != nil {
		return err
	}
	j := journal(c, b, name, destination)
	entries := j.Entries(ctx)
	if last > 0 {
		entries = j.Last(ctx, last)
	}
	if form == "json" {
		return entriesJSON(w, entries)
	}
	return entriesTable(w, entries)
}

// destinationOf is what the journal of a stream is bound to.
func destinationOf(c *config.Config, name string) (string, error) {
	if name == webhookStream {
		if !c.Webhook.URL.IsSet() {
			return "", &usageError{errors.New("there is no webhook stream: HOUNDTRAIL_WEBHOOK_URL is not set")}
		}
		sink, err := newWebhook(c, 0, newMetrics())
		if err != nil {
			return "", &usageError{err}
		}
		return sink.String(), nil
	}
	if c.Archive.URL == "" {
		return "", &usageError{errors.New("there is no archive stream: HOUNDTRAIL_ARCHIVE_URL is not set; " +
			"for the webhook's journal use --stream webhook")}
	}
	return string(c.Archive.URL), nil
}

func entriesJSON(w io.Writer, entries iter.Seq2[checkpoint.Stored, error]) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	for entry, err := range entries {
		if err != nil {
			return &exporter.Error{Stage: exporter.StageCheckpoint, Err: err}
		}
		if err := e.Encode(entry.Checkpoint); err != nil {
			return err
		}
	}
	return nil
}

func entriesTable(w io.Writer, entries iter.Seq2[checkpoint.Stored, error]) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	n := 0
	for entry, err := range entries {
		if err != nil {
			_ = t.Flush() // show the part that is sound
			return &exporter.Error{Stage: exporter.StageCheckpoint, Err: err}
		}
		if n == 0 {
			fmt.Fprintln(t, "SERIAL\tKIND\tCOMMITTED\tWINDOW START\tWINDOW END\tREAD\tFRESH\tDUPLICATE\tLATE\tOBJECTS\tBYTES\tSHA-256")
		}
		n++
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%s\n", entry.Serial, entry.Kind,
			entry.CommittedAt.UTC().Format(time.DateTime),
			entry.Window.Start.UTC().Format(time.RFC3339Nano), entry.Window.End.UTC().Format(time.RFC3339Nano), // for HOUNDTRAIL_START
			entry.Records.Read, entry.Records.Fresh, entry.Records.Duplicate, entry.Records.Late,
			len(entry.Objects), totalBytes(entry.Objects), entry.SHA256[:min(12, len(entry.SHA256))])
	}
	if n == 0 {
		fmt.Fprintln(t, "The journal is empty: nothing has been committed yet.")
	}
	return t.Flush()
}

func totalBytes(objects []checkpoint.Object) (total int64) {
	for _, o := range objects {
		total += o.Bytes
	}
	return total
}
