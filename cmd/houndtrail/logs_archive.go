package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/show"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/exporter/bloodhound"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/page"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/record/filter"
	"github.com/houndtrail/houndtrail/sink/archive/search"
)

// searchArchive prints records of the archive.
func (p *program) searchArchive(ctx context.Context, o *logsOptions) error {
	now := time.Now()
	if p.now != nil {
		now = p.now()
	}
	asked, err := o.archived(now)
	if err != nil {
		return stream.Usage(err)
	}
	c, err := p.load(config.NeedArchive)
	if err != nil {
		return err
	}
	out := show.NewRecords(p.stdout, o.output.value)
	out.Limit(asked.Limit)
	asked.Each = out.One
	answer, err := stream.NewSet(c, p.asked().process(p.logger(c.Log))).Search(ctx, asked)
	if err != nil && answer.Records == 0 && len(answer.Problems) == 0 {
		return err
	}
	missing := answer.Problems
	if err != nil && len(missing) == 0 {
		missing = []error{err}
	}
	return errors.Join(out.End(missing), err)
}

// archived reads the flags for a search of the archive.
func (o *logsOptions) archived(now time.Time) (search.Options, error) {
	if o.follow {
		return search.Options{}, errors.New("--follow asks BloodHound: with --archive, run the command again, or follow without it")
	}
	if o.wait != 0 {
		return search.Options{}, errors.New("--wait is how long BloodHound may take: --archive does not ask it")
	}
	q, err := o.query(now)
	if err != nil {
		return search.Options{}, err
	}
	asked := search.Options{After: q.After, Before: q.Before, Skip: q.Skip, Limit: cmp.Or(q.Limit, serversLimit), Line: recordOf}
	if q.Before.IsZero() {
		asked.Before = now
	}
	if !q.After.IsZero() && q.After.After(asked.Before) {
		return asked, fmt.Errorf("nothing can be after %s and before %s", page.FormatTime(q.After), page.FormatTime(asked.Before))
	}
	switch oldest := []string{"created_at", "id"}; {
	case slices.Equal(q.SortBy, bloodhound.NewestFirst()[:min(len(q.SortBy), 2)]):
	case slices.Equal(q.SortBy, oldest[:min(len(q.SortBy), 2)]):
		asked.OldestFirst = true
	default:
		return asked, fmt.Errorf("--sort-by %s: --archive sorts by created_at or -created_at only", strings.Join(q.SortBy, " --sort-by "))
	}
	asked.Filters = q.Filters
	_, err = filter.Compile(asked.Filters)
	return asked, err
}

// serversLimit is how many records the server returns if the request has no limit.
const serversLimit = 1000

// recordOf reads one record as the server sent it.
func recordOf(served string) (record.Record, error) {
	p, err := page.Parse([]byte(`{"data":{"logs":[`+served+`]}}`), nil, nil)
	switch {
	case err != nil:
		return record.Record{}, err
	case len(p.Refused) > 0:
		return record.Record{}, p.Refused[0].Fault
	case len(p.Records) != 1:
		return record.Record{}, fmt.Errorf("%d records in one line", len(p.Records))
	}
	return p.Records[0], nil
}
