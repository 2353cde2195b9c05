package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/show"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/sink/archive/compact"
)

// A forgetting is what the user says of a removal.
type forgetting struct {
	before, reason, by string
	dry, yes, locked   bool
	wait               time.Duration
	output             choice
}

func (p *program) forget() *cobra.Command {
	o := forgetting{output: choice{"table", []string{"table", "json"}}}
	cmd := &cobra.Command{
		Use:   "forget --before DATE --reason TEXT",
		Short: "Remove old days from the archive on purpose",
		Long: `Remove the files of all days before a day from the archive, because you may not keep them any longer. First the
journal gets an entry that names the files with their SHA-256, the reason, and the person who asked for it. Then
forget deletes the files. The rest of the journal stays. It contains no record. houndtrail verify still proves the
rest, and calls these files forgotten.

No run, rescan, backfill or reset delivers a record from before that day again.

In a bucket with versions, a file only gets a delete marker. Its versions still hold the records until a lifecycle
rule of the bucket's owner removes them, or until an Object Lock ends. If versions are locked, forget refuses, unless
--hide-locked says that hiding them is enough. It does not touch backups, replicas and receivers of the webhook.

Without --yes it only shows which files would go, and ends with exit code 2. With --dry-run it does the same with exit
code 0. If a file is not as the journal says, it stays, and the exit code is 6. forget may run beside houndtrail run,
but not beside a backfill. If it is killed, the next forget or compact finishes its work. It needs the rights of
deploy/aws/forget-policy.json: to delete files of the archive (s3:DeleteObject) and, to see locks,
s3:GetObjectRetention and s3:GetObjectLegalHold. If the journal is signed, it also needs HOUNDTRAIL_SIGNING_KEY.`,
		Example: `  houndtrail forget --before 2025-01-01 --reason "kept for 12 months" --dry-run
  houndtrail forget --before 2025-01-01 --reason "kept for 12 months" --yes`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			order, err := o.order()
			if err != nil {
				return stream.Usage(err)
			}
			need := config.NeedArchive | config.NeedCheckpoint | config.NeedTenant
			if o.yes {
				need |= config.NeedCommit
			}
			c, err := p.load(need)
			if err != nil {
				return err
			}
			log := p.logger(c.Log)
			defer log.Sync() //nolint:errcheck // standard error cannot be synced everywhere
			compactor, err := stream.NewSet(c, p.asked().process(log)).Compaction(cmd.Context(), !o.yes)
			if err != nil {
				return err
			}
			compactor.Wait = o.wait
			if o.yes {
				return p.forgetDays(cmd.Context(), compactor, o, order)
			}
			return p.planForget(cmd.Context(), compactor, o, order)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.before, "before", "", "the first day that stays (UTC), such as 2025-01-01")
	f.StringVar(&o.reason, "reason", "", "why the records go; kept in the journal")
	f.StringVar(&o.by, "by", "", "who asked for it; kept in the journal")
	f.BoolVar(&o.dry, "dry-run", false, "only say what would go")
	f.BoolVar(&o.yes, "yes", false, "remove it: there is no way back")
	f.BoolVar(&o.locked, "hide-locked", false, "hide files whose versions an Object Lock keeps")
	f.DurationVar(&o.wait, "wait-lease", 90*time.Second, "how long to wait while a run holds the lease")
	f.VarP(&o.output, "output", "o", "form of the answer")
	return cmd
}

func (o forgetting) order() (order compact.Order, err error) {
	switch {
	case o.wait < 0:
		return order, errors.New("--wait-lease: want a duration that is not negative, such as 90s")
	case o.dry && o.yes:
		return order, errors.New("--dry-run and --yes exclude each other: leave one out")
	case strings.TrimSpace(o.reason) == "" && !o.dry:
		return order, errors.New(`--reason is needed: say why the records go, for those who read the journal later; ` +
			`such as --reason "kept for 12 months, as the works council agreed"`)
	}
	order = compact.Order{Reason: o.reason, By: o.by}
	if order.Before, err = time.Parse(time.DateOnly, o.before); err != nil {
		return order, fmt.Errorf("--before %q: want the first day that stays, such as 2025-01-31", o.before)
	}
	return order, nil
}

// planForget shows the files that would go.
func (p *program) planForget(ctx context.Context, c *stream.Compaction, o forgetting, order compact.Order) error {
	plan, err := c.PlanForget(ctx, order.Before)
	if err != nil {
		return err
	}
	if err := p.showPlan(plan, o.output.value); err != nil {
		return err
	}
	found := errors.Join(plan.Findings...)
	if o.dry {
		return found
	}
	if found != nil {
		fmt.Fprintln(p.stderr, describe(found))
	}
	return stream.Usage(errors.New("nothing was removed: there is no way back, so --yes has to say that these files shall go"))
}

func (p *program) showPlan(plan *compact.Plan, form string) error {
	if form == "json" {
		for _, d := range plan.Days {
			if err := show.JSON(p.stdout, d); err != nil {
				return err
			}
		}
		return nil
	}
	table := show.NewTable(p.stdout, []show.Column[compact.GoneDay]{
		{Name: "DAY", Cell: func(d compact.GoneDay) string { return d.Day }},
		{Name: "FILES", Cell: func(d compact.GoneDay) string { return strconv.Itoa(d.Objects) }},
		{Name: "BYTES", Cell: func(d compact.GoneDay) string { return strconv.FormatInt(d.Bytes, 10) }},
		{Name: "RECORDS", Cell: func(d compact.GoneDay) string { return strconv.Itoa(d.Records) }},
	})
	for _, d := range plan.Days {
		if err := table.Add(d); err != nil {
			return err
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	all := plan.Total()
	fmt.Fprintf(p.stdout, "archive: %d files with %d records of days before %s would go\n", all.Objects, all.Records,
		plan.Before.Format(time.DateOnly))
	if all.Objects > 0 {
		fmt.Fprintln(p.stdout, "archive: "+remains(all))
	}
	p.tellOthers(plan)
	return nil
}

// remains tells which copies of the records still exist after the removal.
func remains(all compact.GoneDay) string {
	if all.Versions == 0 {
		return "this store keeps no versions of them; backups, replicas and receivers are not touched"
	}
	text := fmt.Sprintf("the store only hides %d of them behind delete markers: their versions still hold the records until a lifecycle "+
		"rule of the bucket's owner removes them", all.Versions)
	switch {
	case all.Hold:
		text += fmt.Sprintf(", and a legal hold or an Object Lock keeps %d of these", all.Locked)
	case all.Locked > 0:
		text += fmt.Sprintf(", and an Object Lock keeps %d of these until %s at the latest", all.Locked, show.Instant(all.LockedUntil))
	default:
		text += "; no lock on them shows, and without the rights s3:GetObjectRetention and s3:GetObjectLegalHold none would"
	}
	return text
}

func (p *program) tellOthers(plan *compact.Plan) {
	if len(plan.Others) > 0 {
		fmt.Fprintf(p.stderr, "houndtrail: warning: the archive also has such days of the tenant %s, which stay: they belong to another "+
			"journal, or to this one before it was moved\n", strings.Join(plan.Others, ", "))
	}
}

// forgetDays removes the files.
func (p *program) forgetDays(ctx context.Context, c *stream.Compaction, o forgetting, order compact.Order) error {
	var all compact.GoneDay
	check := func(plan *compact.Plan) error {
		p.tellOthers(plan)
		if all = plan.Total(); all.Locked > 0 && !o.locked {
			return stream.Usagef("nothing was removed: %s. Wait for that, or give --hide-locked if it is enough that no query sees them",
				remains(all))
		}
		return nil
	}
	table := show.NewTable(p.stdout, forgottenColumns())
	var told []error
	entries := 0
	err := c.Forget(ctx, order, check, func(f compact.Forgotten) {
		entries++
		if o.output.value == "json" {
			told = append(told, show.JSON(p.stdout, f))
			return
		}
		told = append(told, table.Add(f))
	})
	told = append(told, table.Flush())
	if o.output.value == "table" && err == nil && entries == 0 {
		fmt.Fprintf(p.stdout, "archive: no file of a day before %s is left to remove\n", o.before)
	}
	if o.output.value == "table" && entries > 0 {
		fmt.Fprintln(p.stdout, "archive: "+remains(all))
	}
	return errors.Join(errors.Join(told...), err)
}

func forgottenColumns() []show.Column[compact.Forgotten] {
	return []show.Column[compact.Forgotten]{
		{Name: "ENTRY", Cell: func(f compact.Forgotten) string { return strconv.FormatUint(f.Entry, 10) }},
		{Name: "FIRST DAY", Cell: func(f compact.Forgotten) string { return f.First }},
		{Name: "LAST DAY", Cell: func(f compact.Forgotten) string { return f.Last }},
		{Name: "FILES", Cell: func(f compact.Forgotten) string { return strconv.Itoa(f.Objects) }},
		{Name: "BYTES", Cell: func(f compact.Forgotten) string { return strconv.FormatInt(f.Bytes, 10) }},
		{Name: "RECORDS", Cell: func(f compact.Forgotten) string { return strconv.Itoa(f.Records) }},
	}
}
