package stream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/robfig/cron/v3"
	"go.uber.org/zap"
	"golang.org/x/sync/semaphore"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/checkpoint/seal"
	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/archive/verify"
)

// TestJudgeVerification: if a person has to look at a verification, it is not ok. If a verification could not read everything,
// it is not ok either.
func TestJudgeVerification(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	day, err := cron.ParseStandard("@daily")
	if err != nil {
		t.Fatal(err)
	}
	daily := config.Schedule{Spec: "@daily", Schedule: day}
	after := func(errs ...error) (n VerificationNote) {
		n.Since = noon.AddDate(0, -1, 0)
		for _, err := range errs {
			n = n.after(&verify.Report{}, err, noon)
		}
		return n
	}
	tampered := fmt.Errorf("x: %w", ErrTampered)
	unread := errors.New("503")
	for name, c := range map[string]struct {
		note    VerificationNote
		off     bool
		now     time.Time
		state   string
		outcome Outcome
	}{
		"none so far":                    {note: VerificationNote{Note: Note{Since: noon}}, now: noon, state: JobWaiting},
		"well":                           {note: after(nil), now: noon, state: JobOK},
		"a finding":                      {note: after(nil, tampered), now: noon, state: JobFinding, outcome: Unsound},
		"a finding without a schedule":   {note: after(tampered), off: true, now: noon, state: JobFinding, outcome: Unsound},
		"a finding, and a failure since": {note: after(tampered, unread), now: noon, state: JobFinding, outcome: Unsound},
		"a finding, and long nothing":    {note: after(tampered), now: noon.AddDate(1, 0, 0), state: JobFinding, outcome: Unsound},
		"a finding that was put right":   {note: after(tampered, unread, nil), now: noon, state: JobOK},
		"failed":                         {note: after(nil, unread), now: noon, state: JobFailed, outcome: SinkFailed},
		"failed for the first time":      {note: after(unread), now: noon.AddDate(0, -1, 1), state: JobFailed, outcome: SinkFailed},
		"healed":                         {note: after(unread, nil), now: noon, state: JobOK},
		"just in time":                   {note: after(nil), now: noon.Add(61 * time.Hour), state: JobOK},
		"overdue":                        {note: after(nil), now: noon.Add(61*time.Hour + time.Second), state: JobOverdue, outcome: Stopped},
		"failed for three days":          {note: after(nil, unread), now: noon.AddDate(0, 0, 3), state: JobOverdue, outcome: Stopped},
		"never, overdue":                 {note: VerificationNote{Note: Note{Since: noon}}, now: noon.AddDate(0, 0, 3), state: JobOverdue, outcome: Stopped},
		"off":                            {note: after(nil), off: true, now: noon.AddDate(1, 0, 0), state: JobOK},
	} {
		look := VerificationLook{VerificationNote: c.note, Schedule: daily}
		if c.off {
			look.Schedule = config.Schedule{}
		}
		state, err := look.Judge(c.now)
		if state != c.state || OutcomeOf(err) != c.outcome {
			t.Errorf("%s: %s, %v with the outcome %s; want %s, %s", name, state, err, OutcomeOf(err), c.state, c.outcome)
		}
		if err != nil && StateOf(err, Position{Serial: 1}) != StateVerified {
			t.Errorf("%s: status would say %s", name, StateOf(err, Position{Serial: 1}))
		}
		if err != nil && !strings.Contains(err.Error(), "succeeded") {
			t.Errorf("%s: it does not say when one last succeeded: %v", name, err)
		}
	}
}

// verified is a journal of the webhook with so many entries, and the job that verifies it.
func verified(t *testing.T, n int, keys ...seal.PublicKey) (*VerificationJob, *checkpointtest.Memory, *checkpointtest.Faulty) {
	t.Helper()
	memory := &checkpointtest.Memory{}
	store := checkpointtest.NewFaulty(memory)
	j := checkpoint.Open(store, checkpoint.Identity{Tenant: "a", Stream: Webhook})
	var last checkpoint.Stored
	for i := range n {
		w := window.Window{Start: march.Add(time.Duration(i) * time.Minute), End: march.Add(time.Duration(i+1) * time.Minute)}
		var err error
		last, err = j.Commit(t.Context(), last, checkpoint.Checkpoint{
			Kind: checkpoint.KindExport, Window: w, Cursor: w.End, Start: march, DeliveredSince: march, CommittedAt: w.End,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return &VerificationJob{
		anchors: func(context.Context) (*verify.Anchors, error) { return nil, nil },
		Stream:  Webhook, Log: zap.NewNop(), positions: store, memory: 1 << 20, turn: semaphore.NewWeighted(1),
		notes: openVerificationNote(store, Webhook), seed: func() string { return "seed" }, keys: func() ([]seal.PublicKey, error) { return keys, nil },
	}, memory, store
}

// TestVerificationOfAnchors: a journal without a head elsewhere is a warning. If the place cannot be asked, the verification is not well.
func TestVerificationOfAnchors(t *testing.T) {
	t.Parallel()
	job, _, _ := verified(t, 3)
	job.anchors = func(context.Context) (*verify.Anchors, error) { return &verify.Anchors{Place: "file:///heads"}, nil }
	report, err := job.Run(t.Context())
	if err != nil || job.Noted().State != "" || job.Noted().Findings[verify.Warning] != 1 || report.Findings[0].Code != verify.NoAnchor {
		t.Fatalf("%+v, %v", report.Findings, err)
	}
	job.anchors = func(context.Context) (*verify.Anchors, error) { return nil, errors.New("down") }
	if report, err = job.Run(t.Context()); OutcomeOf(err) != SinkFailed || job.Noted().State != JobFailed || !report.Sound() {
		t.Fatalf("%+v, %v, %v", report, err, job.Noted().State)
	}
}

// TestVerifications follows the verifications of a daemon: a finding stands until everything was verified again.
func TestVerifications(t *testing.T) {
	t.Parallel()
	job, memory, store := verified(t, 600)
	key := func(serial int) string { return fmt.Sprintf("webhook/%017d/%020d.json", serial/1000, serial) }
	run := func(what string, want Outcome, part int, state string) *verify.Report {
		t.Helper()
		report, err := job.Run(t.Context())
		if got := OutcomeOf(err); got != want {
			t.Fatalf("%s: %v; want the outcome %s", what, err, want)
		}
		noted, err := openVerificationNote(memory, Webhook).Read(t.Context())
		if err != nil || noted.Part != part || noted.State != state || job.Noted().Part != part {
			t.Fatalf("%s: %+v, %v; want part %d and the state %q", what, noted, err, part, state)
		}
		return report
	}
	if r := run("the first", OK, 1, ""); r.Sample == nil || r.Streams[0].Entries < 288 {
		t.Errorf("the first has %+v", r)
	}
	run("the next", OK, 2, "")

	old, newest := key(3), key(550)
	body := func(key string) []byte {
		b, _, _, err := memory.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		memory.Remove(key)
		return b
	}
	put := func(key string, body []byte) {
		if _, err := memory.Put(t.Context(), key, body, ""); err != nil {
			t.Fatal(err)
		}
	}
	kept, older := body(newest), body(old)
	if r := run("an entry is gone", Unsound, 2, JobFinding); r.Sample != nil || r.Counts[verify.Error] != 2 {
		t.Errorf("not everything was verified: %+v", r)
	}
	put(newest, kept)
	if r := run("one of two was put back, which a sample would take for all", Unsound, 2, JobFinding); r.Counts[verify.Error] != 1 {
		t.Errorf("found %+v", r.Findings)
	}
	store.On(checkpointtest.Always(checkpointtest.Get, "550.json", checkpointtest.Fault{Before: errors.New("503")}))
	run("a failure does not hide a finding", Unsound, 2, JobFinding)
	put(old, older)
	run("nor end it", SinkFailed, 2, JobFinding)
	store.On(nil)
	run("put right", OK, 2, "")

	store.On(checkpointtest.Always(checkpointtest.Get, "550.json", checkpointtest.Fault{Before: errors.New("503")}))
	run("what cannot be read is not ok, and its part comes again", SinkFailed, 2, JobFailed)
	store.On(nil)
	run("healed", OK, 3, "")

	ctx, cancel := context.WithCancel(t.Context())
	store.On(func(context.Context, checkpointtest.Op, string) checkpointtest.Fault {
		cancel()
		return checkpointtest.Fault{}
	})
	if _, err := job.Run(ctx); OutcomeOf(err) != Interrupted || job.Noted().State != "" {
		t.Errorf("told to stop: %v, %+v", err, job.Noted())
	}
	store.On(nil)

	again := &VerificationJob{
		anchors: func(context.Context) (*verify.Anchors, error) { return nil, nil },
		Stream:  Webhook, Log: zap.NewNop(), positions: store, memory: 1 << 20, turn: semaphore.NewWeighted(1),
		notes: openVerificationNote(store, Webhook), seed: func() string { return "another" }, keys: job.keys,
	}
	if n := again.Begin(t.Context()); n.Seed != "seed" || n.Part != 3 || n.Since.IsZero() {
		t.Errorf("the next process goes on from %+v", n)
	}

	hint := checkpoint.StateKey(Webhook, "latest")
	for _, k := range []string{key(600), key(599), strings.TrimSuffix(hint, ".json"), "webhook/state/lease.json"} {
		memory.Remove(k)
	}
	if r := run("rolled back, with all that tells of it in the store", Unsound, 3, JobFinding); r.Findings[0].Code != verify.RolledBack {
		t.Errorf("found %+v", r.Findings)
	}
}

// TestVerificationOfLittle: before the first entry there is nothing to verify, and that is no finding; if there was one, it is. So is
// a journal that is not signed with the key that was given.
func TestVerificationOfLittle(t *testing.T) {
	t.Parallel()
	job, _, _ := verified(t, 0)
	if report, err := job.Run(t.Context()); report != nil || err != nil {
		t.Fatalf("%+v, %v", report, err)
	}
	job, _, _ = verified(t, 2, seal.PublicOf(checkpointtest.Key(1)))
	if _, err := job.Run(t.Context()); OutcomeOf(err) != Unsound || !strings.Contains(err.Error(), string(verify.Downgraded)) {
		t.Errorf("not signed with the key that was given: %v", err)
	}
	job.keys = func() ([]seal.PublicKey, error) { return nil, errors.New("no such file") }
	if _, err := job.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "HOUNDTRAIL_VERIFY_KEY_FILE: no such file") {
		t.Errorf("the key cannot be read: %v", err)
	}
	job, memory, _ := verified(t, 2)
	if _, err := job.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	keys, err := memory.List(t.Context(), Webhook+"/", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		memory.Remove(key)
	}
	if _, err := job.Run(t.Context()); OutcomeOf(err) != Unsound {
		t.Errorf("the journal is gone: %v", err)
	}
}

// TestRounds: after all parts, another seed divides the entries.
func TestRounds(t *testing.T) {
	t.Parallel()
	n := VerificationNote{}
	for i := range 2 * verifiedParts {
		n = n.after(&verify.Report{Sample: &verify.Sample{Seed: "s", Part: n.Part%verifiedParts + 1, Parts: verifiedParts}}, nil, march)
		if last := (i+1)%verifiedParts == 0; n.Part != i%verifiedParts+1 || (n.Seed == "") != last {
			t.Fatalf("after %d: part %d, seed %q", i+1, n.Part, n.Seed)
		}
	}
}
