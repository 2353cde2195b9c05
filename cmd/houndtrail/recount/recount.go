// Package recount compares an archive with BloodHound, for verify --source. It passes the settings of the streams to the
// comparison.
package recount

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/bloodhound"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink/archive/verify"
	"github.com/houndtrail/houndtrail/sink/archive/verify/source"
)

const (
	// A day is read from the server in parts, of at most so many records and bytes.
	partRecords = 5000
	partBytes   = 8 << 20
)

// A Recount compares an archive with its server after a verification. Its account must watch that verification.
type Recount struct {
	*source.Account

	Progress func(done, all int64)
	Result   *source.Result // nil if nothing was compared

	config  *config.Config
	set     *stream.Set
	client  *bloodhound.Client
	files   bucket.Opener
	journal verify.Options
}

// New prepares a comparison. It sends no request to the server.
func New(ctx context.Context, c *config.Config, set *stream.Set, asked verify.Options) (*Recount, error) {
	client, err := set.Source(nil)
	if err != nil {
		return nil, err
	}
	files, err := set.Files(ctx)
	if err != nil {
		return nil, err
	}
	return &Recount{
		Account: source.NewAccount(asked.Journals...), config: c, set: set, client: client, files: files, journal: asked,
	}, nil
}

// Run compares, and adds its findings to the report. If it cannot compare, the report says that a part could not be read.
func (r *Recount) Run(ctx context.Context, report *verify.Report) error {
	result, err := r.compare(ctx, report)
	if errors.Is(err, context.Canceled) {
		return err
	}
	if result != nil {
		r.Result = result
		report.Add(result.Findings(stream.Archive)...)
	}
	if err == nil {
		return nil
	}
	report.Unread = append(report.Unread, err.Error())
	stage := exporter.StageSource
	if errors.Is(err, source.ErrFiles) {
		stage = exporter.StageSink
	}
	return stream.At(stage, err)
}

func (r *Recount) compare(ctx context.Context, report *verify.Report) (*source.Result, error) {
	clock, err := r.client.Clock(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask for the server's time: %w", err)
	}
	now := r.set.Now()
	if !clock.Server.IsZero() && clock.Server.Before(now) {
		now = clock.Server
	}
	until := r.journal.Until
	if day := until.UTC().Truncate(24 * time.Hour); !day.Equal(until) {
		until = day.AddDate(0, 0, 1) // a whole day, as for the objects
	}
	return source.Compare(ctx, r.Account, source.Options{
		Server: server{r.client}, Name: string(r.config.BloodHound.URL), Files: r.files,
		Since: r.journal.Since, Until: until, Now: now.UTC(), Due: r.due(now, report), Overlap: r.config.Overlap, Progress: r.Progress,
	})
}

// due returns the time up to which a run had to deliver all records by now; zero if no run is late. It is as patient as status: the
// first due run may have failed for a passing reason.
func (r *Recount) due(now time.Time, report *verify.Report) time.Time {
	schedule, _ := r.set.Schedule(stream.Archive)
	for _, s := range report.Streams {
		if s.Name != stream.Archive || s.Cursor.IsZero() {
			continue
		}
		last := s.Cursor.Add(r.config.Settle)
		if now.After(stream.Due(schedule, r.config.Settle, last)) {
			return now.Add(-r.config.Settle).UTC().Truncate(time.Microsecond)
		}
	}
	return time.Time{}
}

// A server is BloodHound.
type server struct{ *bloodhound.Client }

// Read implements [source.Server].
func (s server) Read(ctx context.Context, from, until time.Time, use func([]record.Record) error) error {
	_, err := s.FetchParts(ctx, from, until.Add(-time.Microsecond), bloodhound.Limits{Records: partRecords, Bytes: partBytes}, use)
	return err
}
