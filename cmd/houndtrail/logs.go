package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/show"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/bloodhound"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/page"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/record/filter"
)

// logsOptions are the flags of logs.
type logsOptions struct {
	after, before string
	skip, limit   int
	sortBy        []string
	filters       map[string]*[]string
	wait          time.Duration
	output        choice
	follow        bool
	archive       bool
	interval      time.Duration
}

func (p *program) logs() *cobra.Command {
	o := logsOptions{filters: map[string]*[]string{}, output: choice{"table", []string{"table", "wide", "json", "ndjson"}}}
	cmd := &cobra.Command{
		Use:   "logs",
		Short: "Query the audit log by hand",
		Long: `Query the audit log by hand, with everything that the API documents. One request, one page, newest first unless
--sort-by says otherwise; the position of the exporter is neither read nor moved.

With --archive, the archive answers in place of BloodHound, which need not be there any more. It needs only
HOUNDTRAIL_ARCHIVE_URL, the right to list and read there and, if the archive has several tenants, HOUNDTRAIL_TENANT. Without
--after, all days count. It believes the files as they are: houndtrail verify tells whether they are as they were committed. If a file
cannot be read, it prints the records of the others, names the file, and the exit code is 6; it is 4 if the store fails.

A filter is predicate:value, as in --action eq:LoginAttempt or --id gt:1000; a bare value means eq. All filters must hold.
When servers are known to ignore or reject what is asked for, a warning says so. Times are RFC 3339, with any offset, or,
for --after and --before, a duration that is counted back from now, such as 24h.`,
		Example: `  houndtrail logs --after 24h --limit 20
  houndtrail logs --action eq:LoginAttempt -o ndjson | jq .fields.username
  houndtrail logs --follow
  houndtrail logs --archive --request-id 9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.archive {
				return p.searchArchive(cmd.Context(), &o)
			}
			return p.showLogs(cmd.Context(), &o)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.archive, "archive", false, "search the archive; sorts by created_at only, and ~eq finds a part of a text")
	f.StringVar(&o.after, "after", "", "created at or after this time (default: the server's, a year before --before); or --since")
	f.StringVar(&o.before, "before", "", "created at or before this time (default: now); or --until")
	f.IntVar(&o.skip, "skip", 0, "leave out the first N, as they are sorted; sent as skip and offset")
	f.IntVar(&o.limit, "limit", 100, "at most N records; 0 for the server's default of 1000")
	f.StringArrayVar(&o.sortBy, "sort-by", nil, "column to sort by; - descends; can be repeated; builds before March 2024 only "+
		"order records of one instant by it (default: newest first, -created_at then -id)")
	for _, column := range bloodhound.FilterColumns() {
		o.filters[column] = f.StringArray(strings.ReplaceAll(column, "_", "-"), nil, "filter by "+column+"; can be repeated")
	}
	f.DurationVar(&o.wait, "wait", 0, "how long the server may take, sent as Prefer: wait=N (default: HOUNDTRAIL_BLOODHOUND_WAIT)")
	f.VarP(&o.output, "output", "o", "form of the records; wide has all columns, json is one object with the server's count, "+
		"ndjson the records as served")
	f.BoolVarP(&o.follow, "follow", "f", false, "go on printing new records as they appear, oldest first")
	f.DurationVar(&o.interval, "interval", 5*time.Second, "how often --follow asks")
	f.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		return pflag.NormalizedName(cmp.Or(map[string]string{"since": "after", "until": "before"}[name], name))
	})
	return cmd
}

func (p *program) showLogs(ctx context.Context, o *logsOptions) error {
	q, err := o.query(time.Now())
	if err != nil {
		return stream.Usage(err)
	}
	c, err := p.load(config.NeedBloodHound)
	if err != nil {
		return err
	}
	c.BloodHound.Wait = cmp.Or(o.wait, c.BloodHound.Wait)
	for _, w := range q.Warnings() {
		fmt.Fprintln(p.stderr, "houndtrail: warning:", w)
	}
	asking := *p
	asking.interactive = !o.follow
	client, err := stream.NewSet(c, asking.process(p.logger(c.Log))).Source(nil)
	if err != nil {
		return err
	}
	out := show.NewRecords(p.stdout, o.output.value)
	if o.follow {
		return stream.At(exporter.StageSource, follow(ctx, client, q, o.interval, out))
	}
	page, err := client.Logs(ctx, q)
	if err != nil {
		return stream.At(exporter.StageSource, err)
	}
	return out.Page(page)
}

// longestWait is the longest time that a user may give the server.
const longestWait = 30 * time.Second

// query reads the flags. It finds a mistake in them before the command does anything else.
func (o *logsOptions) query(now time.Time) (bloodhound.Query, error) {
	q := bloodhound.Query{Skip: o.skip, Limit: o.limit, SortBy: o.sortBy}
	if len(o.sortBy) == 0 {
		q.SortBy = bloodhound.NewestFirst()
	}
	var err error
	if q.After, err = instant("--after", o.after, now); err != nil {
		return q, err
	}
	if q.Before, err = instant("--before", o.before, now); err != nil {
		return q, err
	}
	for _, column := range bloodhound.FilterColumns() {
		for _, text := range *o.filters[column] {
			q.Filters = append(q.Filters, filter.Parse(column, text))
		}
	}
	if o.follow && (o.before != "" || o.skip != 0) {
		return q, fmt.Errorf("--follow goes on for ever: it takes neither --before nor --skip")
	}
	if o.follow && len(o.sortBy) > 0 {
		return q, fmt.Errorf("--follow prints records in the order in which they appear: it takes no --sort-by")
	}
	if o.follow && o.output.value == "json" {
		return q, fmt.Errorf("--follow never ends, so it cannot print one JSON object: use -o ndjson")
	}
	if o.interval < time.Second {
		return q, fmt.Errorf("--interval %s: a second is the least, out of consideration for the server", o.interval)
	}
	if o.wait != 0 && (o.wait < time.Second || o.wait > longestWait || o.wait%time.Second != 0) {
		return q, fmt.Errorf("--wait %s: want whole seconds from 1s to %s", o.wait, longestWait)
	}
	return q, q.Validate()
}

func instant(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil {
		return now.Add(-ago), nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%s %q: want a time such as 2026-01-31T00:00:00Z, or a duration back from now such as 24h", flag, text)
	}
	return t, nil
}

// followBack is how far each request of --follow looks back for records that became visible late.
const followBack = 2 * time.Minute

// A follower prints records as they appear. It looks back over a span of time, and remembers the ids of that span: ids are not
// in the order of time, and a record can become visible after newer ones.
type follower struct {
	client *bloodhound.Client
	query  bloodhound.Query // After is the start of the look-back; zero means the server's default
	seen   map[int64]time.Time
}

// follow prints the newest records. Then it prints each record that appears, once, until ctx ends.
func follow(ctx context.Context, client *bloodhound.Client, q bloodhound.Query, every time.Duration, out *show.Records) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	f := &follower{client: client, query: q, seen: map[int64]time.Time{}}
	records, err := f.begin(ctx)
	for {
		if ctx.Err() != nil {
			return nil // the user has ended the command
		}
		if err != nil {
			return err
		}
		if err := out.All(records); err != nil {
			return err
		}
		select {
		case <-ticker.C:
			records, err = f.appeared(ctx)
		case <-ctx.Done():
		}
	}
}

// begin returns the newest records. It treats older records within the look-back as if the user had seen them.
func (f *follower) begin(ctx context.Context) ([]record.Record, error) {
	page, err := f.client.Logs(ctx, f.query)
	if err != nil || len(page.Records) == 0 {
		return nil, err
	}
	newest := f.fresh(page.Records)
	if oldest := newest[0].CreatedAt; !oldest.Before(f.query.After) {
		rest, err := f.client.Span(ctx, f.query.After, oldest, f.query.Filters...)
		if err != nil {
			return nil, err
		}
		f.fresh(rest)
	}
	return newest, nil
}

// appeared returns the records within the look-back that have appeared since the last request.
func (f *follower) appeared(ctx context.Context) ([]record.Record, error) {
	clock, err := f.client.Clock(ctx)
	if err != nil {
		return nil, err
	}
	now := clock.Server
	if now.Before(f.query.After) { // a person set the server's clock back
		now = f.query.After
	}
	records, err := f.client.Span(ctx, f.query.After, now, f.query.Filters...)
	return f.fresh(records), err
}

// fresh returns the records that the follower sees for the first time, oldest first. The look-back always begins followBack
// before the newest of them.
func (f *follower) fresh(records []record.Record) []record.Record {
	var fresh []record.Record
	for _, r := range page.Sort(records) {
		if at, ok := f.seen[r.ID]; ok && at.Equal(r.CreatedAt) {
			continue
		}
		f.seen[r.ID] = r.CreatedAt
		fresh = append(fresh, r)
		if back := r.CreatedAt.Add(-followBack); back.After(f.query.After) {
			f.query.After = back
		}
	}
	for id, at := range f.seen {
		if at.Before(f.query.After) {
			delete(f.seen, id)
		}
	}
	return fresh
}
