package daemon

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/robfig/cron/v3"
	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/config"
)

// A job runs beside the cycles, with its own schedule. It has its own line and its own metrics. So if a job fails, no export
// counts as failed, and a healthy export does not hide the failure of a job.
type job struct {
	work

	now     func() time.Time
	mu      sync.Mutex
	known   stream.Note // the last note that this process knows
	running bool
}

// work is the part of a job that differs from job to job.
type work struct {
	name     string // its name on the pages
	schedule config.Schedule
	log      *zap.Logger
	begin    func(ctx context.Context) stream.Note                                // notes beside the journal that there is a schedule
	first    func(ctx context.Context, known stream.Note) (whole bool, err error) // runs at the start; whole tells that it was a full run
	run      func(ctx context.Context) error
	after    func(known stream.Note, err error, now time.Time) stream.Note // the note after a run
	judge    func(known stream.Note, now time.Time) (state string, err error)
	due      func(known stream.Note) time.Time                 // when a run must have succeeded; zero if that is not known
	found    func(known stream.Note, due time.Time)            // the metrics of what an earlier process noted
	ended    func(err error, known stream.Note, due time.Time) // and of a run
	vital    bool                                              // /healthz is red for a finding, and if no run has succeeded for too long
	stopped  string                                            // what the log says of a run that was told to stop
	failed   string                                            // and of one that failed
}

// loop does the job by the schedule until ctx ends. It then stops at once.
func (j *job) loop(ctx context.Context) {
	j.found(j.begin(ctx))
	logger := cronLog{j.log.Sugar()}
	cycle := cron.NewChain(cron.SkipIfStillRunning(logger), cron.Recover(logger)).Then(cron.FuncJob(func() {
		j.turn(ctx, func() (bool, error) { return true, j.run(ctx) })
	}))
	j.turn(ctx, func() (bool, error) { return j.first(ctx, j.noted()) })
	clock := cron.New(cron.WithLogger(logger))
	clock.Schedule(j.schedule, cycle)
	clock.Start()
	<-ctx.Done()
	<-clock.Stop().Done()
}

// found takes the note of an earlier process.
func (j *job) found(n stream.Note) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.known = n
	j.work.found(n, j.due(n))
}

func (j *job) noted() stream.Note {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.known
}

// turn does the job once, or a part of it.
func (j *job) turn(ctx context.Context, do func() (whole bool, err error)) {
	if ctx.Err() != nil {
		return
	}
	j.runs(true)
	defer j.runs(false)
	whole, err := do()
	if err != nil && ctx.Err() != nil && errors.Is(err, context.Canceled) {
		j.log.Info(j.stopped)
		return
	}
	if err != nil {
		j.log.Error(j.failed, zap.Error(err))
	}
	if err == nil && !whole {
		return // that was only a part of the work, so there is no result to note
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.known = j.after(j.known, err, j.now())
	j.ended(err, j.known, j.due(j.known))
	if err == nil {
		j.log.Info(j.name + " ended well") // the pages already say so
	}
}

func (j *job) runs(yes bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.running = yes
}

// report is the line about the job on the pages. It also tells whether the job is well, as far as /healthz is concerned. The
// reasons of failures contain names of hosts.
func (j *job) report(reasons bool) (line string, well bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	state, err := j.judge(j.known, j.now())
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s: ", j.name, state)
	if j.known.SucceededAt.IsZero() {
		b.WriteString("no success yet")
	} else {
		fmt.Fprintf(&b, "last success %s ago", j.now().Sub(j.known.SucceededAt).Round(time.Second))
	}
	if j.running {
		b.WriteString("; one is running")
	}
	if err != nil && reasons {
		b.WriteString("; " + strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	b.WriteByte('\n')
	return b.String(), !j.vital || state != stream.JobFinding && state != stream.JobOverdue
}

// jobs are the jobs of a daemon.
func jobs(all stream.Jobs, m *Metrics) (list []*job) {
	if all.Compaction != nil {
		list = append(list, &job{work: compacting(all.Compaction, m.Compactions()), now: time.Now})
	}
	for _, v := range all.Verifications {
		list = append(list, &job{work: verifying(v, m.Verifications(v.Stream)), now: time.Now})
	}
	return list
}

// compacting compacts the archive. At the start it finishes the work of an earlier process.
func compacting(c *stream.CompactionJob, m CompactMetrics) work {
	look := func(known stream.Note) *stream.CompactionLook {
		return &stream.CompactionLook{Note: known, Schedule: c.Schedule}
	}
	return work{
		name: "compaction", schedule: c.Schedule, log: c.Log, begin: c.Begin,
		first: func(ctx context.Context, _ stream.Note) (bool, error) { return false, c.Finish(ctx) },
		run:   func(ctx context.Context) error { return c.Run(ctx, m.day) },
		after: stream.Note.AfterCompaction,
		judge: func(known stream.Note, now time.Time) (string, error) { return look(known).Judge(now, time.Time{}) },
		due:   func(known stream.Note) time.Time { return look(known).Due() },
		found: m.Found, ended: m.ended,
		stopped: "the compaction was told to stop; the next one finishes what it began",
		failed:  "compaction failed; the export goes on",
	}
}

// verifying verifies a stream. At the start it does the work that was due while no daemon ran.
func verifying(v *stream.VerificationJob, m VerifyMetrics) work {
	run := func(ctx context.Context) error {
		began := time.Now()
		report, err := v.Run(ctx)
		m.looked(report, time.Since(began))
		return err
	}
	look := func(known stream.Note) *stream.VerificationLook {
		return &stream.VerificationLook{VerificationNote: stream.VerificationNote{Note: known}, Schedule: v.Schedule}
	}
	return work{
		name: v.Stream + " verification", schedule: v.Schedule, log: v.Log,
		begin: func(ctx context.Context) stream.Note {
			n := v.Begin(ctx)
			m.findings(n.Findings)
			return n.Note
		},
		first: func(ctx context.Context, known stream.Note) (bool, error) {
			last := known.SucceededAt
			if last.IsZero() {
				last = known.Since
			}
			if last.IsZero() || v.Schedule.Next(last).After(time.Now()) {
				return false, nil
			}
			return true, run(ctx)
		},
		run:   run,
		after: func(stream.Note, error, time.Time) stream.Note { return v.Noted().Note },
		judge: func(known stream.Note, now time.Time) (string, error) { return look(known).Judge(now) },
		due:   func(known stream.Note) time.Time { return look(known).Due() },
		found: m.Found, ended: m.ended, vital: true,
		stopped: "the verification was told to stop; the next one begins it again",
		failed:  "the verification did not end well; the export goes on, and houndtrail verify tells more",
	}
}
