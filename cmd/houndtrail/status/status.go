package status

import (
	"context"
	"errors"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/exporter"
)

// LongJournal is the most entries that status reads without --full: that takes a moment in a directory, and some seconds in S3.
const LongJournal = 2000

// Options say what status asks and reads.
type Options struct {
	Offline bool // do not ask the source
	Full    bool // read the whole journal, even if it is long
}

// A Report has the state of all streams.
type Report struct {
	Rows     []*Row
	Warnings []string // the texts that do not fit into the rows
	Failed   error    // the errors with which a run of the streams would end
}

// Of looks at every stream that is turned on. If one stream cannot be read, the report still has the others.
func Of(ctx context.Context, c *config.Config, p stream.Process, o Options) (r Report, err error) {
	set := stream.NewSet(c, p)
	journals := map[string]*checkpoint.Journal{}
	for _, name := range set.Names() {
		row := &Row{Stream: name, Source: string(c.BloodHound.URL)}
		if row.Destination, err = set.Destination(name); err != nil {
			return r, err
		}
		if journals[name], err = set.LookJournal(ctx, name, row.knows); err != nil {
			return r, err
		}
		if err := row.look(ctx, journals[name], o.Full); err != nil {
			row.Problem = oneLine(err)
			row.differs(err)
			r.fails(name, err)
		}
		r.Rows = append(r.Rows, row)
	}
	source := askSource(ctx, c, p, o.Offline)
	for _, row := range r.Rows {
		if err := row.check(ctx, c, set, journals[row.Stream], source); err != nil {
			r.fails(row.Stream, err)
		}
	}
	if ctx.Err() != nil { // the interruption is the cause of the errors
		return r, ctx.Err()
	}
	for _, row := range r.Rows {
		row.compare(source, exporter.Retention(c.Retention))
		if err := row.pauses(ctx, set); err != nil {
			return r, err
		}
		r.Warnings = append(r.Warnings, row.warnings()...)
		if text := row.anchorWarning(c.Anchor.Schedule, set.Now()); text != "" {
			r.Warnings = append(r.Warnings, row.Stream+" stream: "+text)
		}
	}
	// If a run would stop because of the source, the failure already tells the reason.
	if source.warning != "" && (source.err == nil || !errors.Is(r.Failed, source.err)) {
		r.Warnings = append(r.Warnings, source.warning)
	}
	return r, nil
}

func (r *Report) fails(name string, err error) {
	r.Failed = errors.Join(r.Failed, &stream.Error{Stream: name, Err: err})
}
