package stream

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/semaphore"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/checkpoint/seal"
	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/sink/archive/verify"
)

// ErrVerification says that the verification of a stream is not well. The stream's export may still be well.
var ErrVerification = errors.New("verification")

var errVerificationOverdue = errors.New("it is overdue")

const (
	verifyingShare       = 8         // the part of the process's memory that a verification may use: one of so many
	verifiedParts        = 100       // the older entries have so many parts: each verification reads one
	verifiedNewest       = 288       // the newest entries: as many as a day has, by the default schedule
	verificationLateness = time.Hour // how long a verification may take
	verificationTurns    = 3         // so many may fail for a passing reason before the verification is overdue
)

// A VerificationNote says how the last verification of a stream ended, and how far the verifications have come. It is in the
// object <stream>/state/verification.json.
type VerificationNote struct {
	Note

	Seed     string                  `json:"seed,omitempty"` // decides how the older entries are divided into parts
	Part     int                     `json:"part,omitempty"` // the part that the last verification read
	Serials  map[string]uint64       `json:"serials,omitempty"`
	Heads    map[string]string       `json:"heads,omitempty"`
	Findings map[verify.Severity]int `json:"findings,omitempty"` // from the last verification that ran to its end
}

func openVerificationNote(b bucket.Bucket, name string) checkpoint.State[VerificationNote] {
	return checkpoint.OpenState[VerificationNote](b, name, "verification")
}

// A VerificationJob makes the verifications of a stream, by a schedule. Each reads the newest entries and a part of the older
// ones. If one finds an error, it reads everything at once. It needs no lease, and no cycle waits for it.
type VerificationJob struct {
	Stream   string
	Schedule config.Schedule
	Log      *zap.Logger

	positions bucket.Bucket
	files     bucket.Inspector // nil for a stream without files
	memory    int64
	keys      func() ([]seal.PublicKey, error) // keys that must have signed the newest entries; none if no file is set
	turn      *semaphore.Weighted              // the turn that the verifications of a process share
	notes     checkpoint.State[VerificationNote]
	seed      func() string
	anchors   func(context.Context) (*verify.Anchors, error)

	mu     sync.Mutex
	known  VerificationNote
	loaded bool
}

// verified makes the jobs that verify the streams. They may use that much memory. There are none if VERIFY_SCHEDULE is off.
func (s *Set) verified(ctx context.Context, memory int64) (jobs []*VerificationJob, err error) {
	schedule := s.config.VerifySchedule.Schedule
	if schedule.Spec == "" {
		return nil, nil
	}
	positions, err := s.Journals(ctx)
	if err != nil {
		return nil, err
	}
	turn := semaphore.NewWeighted(1)
	for _, name := range s.Names() {
		job := &VerificationJob{
			Stream: name, Schedule: schedule, Log: s.log(name), positions: positions, memory: memory, turn: turn,
			notes: openVerificationNote(positions, name), seed: rand.Text,
			keys: s.config.VerifyKey.Keys, anchors: s.anchorsOf(name),
		}
		if name == Archive {
			if job.files, err = s.Files(ctx); err != nil {
				return nil, err
			}
		}
		jobs = append(jobs, job)
	}
	return jobs, nil
}

// anchorsOf tells how old the newest heads of a stream's journals are that are remembered elsewhere. The cycles compare these heads with
// the journals. A Set is not for concurrent use: the verifications of a process take turns, and the streams have opened the places.
func (s *Set) anchorsOf(name string) func(context.Context) (*verify.Anchors, error) {
	return func(ctx context.Context) (*verify.Anchors, error) {
		var o verify.Options
		err := errors.Join(s.Anchored(ctx, name, 1, &o), s.Anchored(ctx, BackfillOf(name), 1, &o))
		if err != nil {
			o.Anchors = nil // nothing is known
		}
		return o.Anchors, err
	}
}

// Begin notes that a daemon has a schedule for verifications. From then on, the first one can be overdue. It returns the note.
func (j *VerificationJob) Begin(ctx context.Context) VerificationNote {
	ctx, cancel := context.WithTimeout(ctx, recallTime)
	defer cancel()
	err := j.load(ctx)
	j.mu.Lock()
	defer j.mu.Unlock()
	if err == nil && j.known.Since.IsZero() {
		// The note of a newer version stays as it is. A verification finds every other problem of the journal.
		if _, err = Journals(j.positions, j.Stream)[0].Load(ctx); !errors.Is(err, checkpoint.ErrNewer) {
			j.known.Since = time.Now().UTC()
			err = j.notes.Write(ctx, j.known)
		}
	}
	if err != nil {
		j.Log.Warn("how the last verification ended is not known", zap.Error(err))
	}
	return j.known
}

// load reads the notes of earlier processes. If this process has its own notes, it uses these.
func (j *VerificationJob) load(ctx context.Context) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.loaded {
		return nil
	}
	n, err := j.notes.Read(ctx)
	if err == nil {
		j.known, j.loaded = n, true
	}
	return err
}

// Noted returns how the last verification ended.
func (j *VerificationJob) Noted() VerificationNote {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.known
}

// Run makes the verification that is due, and notes its result. The report is nil if there was nothing to read.
func (j *VerificationJob) Run(ctx context.Context) (report *verify.Report, err error) {
	if err := j.turn.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	defer j.turn.Release(1)
	err = guarded(j.Log, func() (err error) {
		if err = j.load(ctx); err == nil {
			report, err = j.verify(ctx)
		}
		return err
	})
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		err = &Error{Stream: j.Stream, Err: At(exporter.StageSink, err)}
	}
	j.note(ctx, report, err)
	return report, err
}

// verify reads a sample. After a finding it reads everything: only a complete verification clears a finding.
func (j *VerificationJob) verify(ctx context.Context) (*verify.Report, error) {
	o, err := j.options(ctx)
	if err != nil || len(o.Journals) == 0 {
		return nil, err
	}
	var unknown error // a place that is down does not stop the verification, but all is not well then
	o.Anchors, unknown = j.anchors(ctx)
	report, err := verify.Run(ctx, o)
	if o.Sample != nil && report.Counts[verify.Error] > 0 && ctx.Err() == nil {
		j.Log.Warn("not everything is as it was committed: the whole stream is verified now",
			zap.String("finding", string(report.Findings[0].Code)), zap.String("text", report.Findings[0].Text))
		o.Sample = nil
		if whole, problem := verify.Run(ctx, o); problem == nil || whole.Counts[verify.Error] > 0 {
			report, err = whole, problem // if not, the errors of the sample count
		}
	}
	if n := report.Counts[verify.Error]; n > 0 {
		f := report.Findings[0] // the most serious come first
		err = errors.Join(fmt.Errorf("%w: %s: %s Findings of that severity: %d; houndtrail verify tells all of them, and what to do",
			ErrTampered, f.Code, f.Text, n), err)
	}
	return report, errors.Join(err, unknown)
}

// options says which data to verify. It names no journal if there is none yet.
func (j *VerificationJob) options(ctx context.Context) (o verify.Options, err error) {
	n := j.Noted()
	o = verify.Options{Positions: j.positions, Files: j.files, Depth: verify.Objects, Memory: j.memory}
	if o.Keys, err = j.keys(); err != nil {
		return o, fmt.Errorf("%sVERIFY_KEY_FILE: %w", config.Prefix, err)
	}
	journals := Journals(j.positions, j.Stream)
	newest, err := journals[0].Load(ctx)
	if errors.Is(err, checkpoint.ErrNotFound) && len(n.Serials) == 0 {
		return o, nil
	}
	o.Journals = journals
	if n.State != JobFinding {
		o.Sample = &verify.Sample{
			Seed: cmp.Or(n.Seed, j.seed()), Part: n.Part%verifiedParts + 1, Parts: verifiedParts, Newest: verifiedNewest, Since: n.Serials,
		}
	}
	if err == nil { // if there is an error, the verification itself finds the fault of the journal
		o.Heads = remembered(n, newest)
	}
	return o, nil
}

// remembered returns the heads of the last verification. A person may have given the journal another name since: then a head
// with the old name does not count.
func remembered(n VerificationNote, newest checkpoint.Stored) (heads []verify.Remembered) {
	for _, note := range n.Heads {
		h, err := seal.ReadHead(note)
		if err != nil {
			continue
		}
		if is, err := seal.ReadHead(newest.Head); err == nil && is.Origin == h.Origin {
			heads = append(heads, verify.Remembered{Where: "the last verification", Head: h})
		}
	}
	return heads
}

// note writes the result of a verification. A finding stays until a verification has read everything and found no fault.
func (j *VerificationJob) note(ctx context.Context, report *verify.Report, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTime)
	defer cancel()
	j.mu.Lock()
	defer j.mu.Unlock()
	j.known = j.known.after(report, err, time.Now().UTC())
	if errors.Is(err, checkpoint.ErrNewer) {
		return
	}
	if noted := j.notes.Write(ctx, j.known); noted != nil {
		j.Log.Warn("how the verification ended could not be noted beside the journal: houndtrail status does not know of it", zap.Error(noted))
	}
}

func (n VerificationNote) after(report *verify.Report, err error, now time.Time) VerificationNote {
	found := errors.Is(err, ErrTampered)
	switch {
	case found:
		n.Note = n.Note.after(err, now, JobFinding)
		n.Findings = report.Counts
	case err != nil && n.State == JobFinding:
	case err != nil:
		n.Note = n.Note.after(err, now, JobFailed)
	default:
		n.Note = n.Note.after(nil, now, "")
	}
	if err != nil || report == nil {
		return n
	}
	n.Findings, n.Serials, n.Heads = report.Counts, map[string]uint64{}, map[string]string{}
	for _, s := range report.Streams {
		n.Serials[s.Name], n.Heads[s.Name] = s.Newest, s.Head
	}
	if report.Sample != nil {
		n.Seed, n.Part = report.Sample.Seed, report.Sample.Part
	}
	if n.Part == verifiedParts { // so the next round divides the entries in another way
		n.Seed = ""
	}
	return n
}
