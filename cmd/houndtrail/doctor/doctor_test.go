package doctor

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/exporter"
)

type subject struct{}

func ending(rows ...Row) func(*subject, context.Context) []Row {
	return func(*subject, context.Context) []Row { return rows }
}

// TestNeeds: if the precondition of a check did not succeed, the check is skipped and names the first cause. It is never ok.
func TestNeeds(t *testing.T) {
	t.Parallel()
	ok, warns, fails := Row{State: OK}, Row{State: Warn}, Row{State: Fail}
	nodes := bind("a", "place", &subject{}, []check[*subject]{
		{name: "first", run: ending(ok)},
		{name: "second", needs: []string{"first"}, run: ending(fails)},
		{name: "third", needs: []string{"second"}, run: ending(ok)},
		{name: "last", needs: []string{"third"}, run: ending(ok)},
		{name: "warned", run: ending(warns)},
		{name: "nothing", run: ending()},
		{name: "goes on", needs: []string{"warned", "nothing"}, after: []string{"last"}, run: ending(ok)},
	})
	nodes = append(nodes, bind("b", "", &subject{}, []check[*subject]{{name: "elsewhere", needs: []string{"a/last"}, run: ending(ok)}})...)
	var got []string
	for _, r := range examine(t.Context(), nodes) {
		got = append(got, r.Group+" "+r.Check+" "+string(r.State)+" "+r.root)
	}
	want := "a first ok ,a second fail ,a third skipped a second,a last skipped a second,a warned warn ,a goes on ok ,b elsewhere skipped a second"
	if text := strings.Join(got, ","); text != want {
		t.Errorf("rows are\n%s, want\n%s", text, want)
	}
}

// TestLimit: a check that hangs is ended, and the others do not wait for it.
func TestLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		hangs := func(_ *subject, ctx context.Context) []Row {
			<-ctx.Done()
			return fail(context.Cause(ctx), "ask the people who run it")
		}
		rows := examine(t.Context(), bind("a", "", &subject{}, []check[*subject]{
			{name: "hangs", run: hangs}, {name: "hangs too", run: hangs}, {name: "waits", needs: []string{"hangs"}, run: ending(Row{State: OK})},
		}))
		if took := time.Since(begun); took != limit {
			t.Errorf("it took %s, want %s", took, limit)
		}
		if rows[0].Seen != "no answer within 30s" || rows[2].State != Skipped {
			t.Errorf("rows are %+v", rows)
		}
	})
}

// TestExitCode: the row that most needs a person decides the exit code, as for the streams of a run.
func TestExitCode(t *testing.T) {
	t.Parallel()
	source, sink := fail(at(exporter.StageSource, errExpired), "")[0], fail(at(exporter.StageSink, errFull), "")[0]
	setting, journal := wrong("x", "y")[0], fail(at(exporter.StageCheckpoint, checkpoint.ErrCorrupt), "")[0]
	for _, c := range []struct {
		rows []Row
		want stream.Outcome
	}{
		{nil, stream.OK},
		{[]Row{{State: Warn}, {State: Skipped}, {State: OK}}, stream.OK},
		{[]Row{source}, stream.SourceFailed},
		{[]Row{sink}, stream.SinkFailed},
		{[]Row{source, setting}, stream.Misconfigured},
		{[]Row{setting, journal, sink}, stream.Unsound},
	} {
		if got := stream.OutcomeOf(Failed(c.rows)); got != c.want {
			t.Errorf("%+v: exit code %d, want %d", c.rows, got, c.want)
		}
	}
}

// TestMemory: the limits of both versions of cgroups, for the process's own group and for those above it.
func TestMemory(t *testing.T) {
	t.Parallel()
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text + "\n")} }
	const mib = 1 << 20
	for name, c := range map[string]struct {
		files fstest.MapFS
		want  State
		seen  string
	}{
		"no cgroup":        {fstest.MapFS{}, OK, "no limit"},
		"no limit":         {fstest.MapFS{"proc/self/cgroup": file("0::/"), "sys/fs/cgroup/memory.max": file("max")}, OK, "no limit"},
		"enough":           {fstest.MapFS{"proc/self/cgroup": file("0::/"), "sys/fs/cgroup/memory.max": file("268435456")}, OK, "256MiB"},
		"hardly enough":    {fstest.MapFS{"proc/self/cgroup": file("0::/"), "sys/fs/cgroup/memory.max": file("235929600")}, Warn, "225MiB"},
		"too little":       {fstest.MapFS{"proc/self/cgroup": file("0::/"), "sys/fs/cgroup/memory.max": file("134217728")}, Fail, "128MiB"},
		"in a group above": {fstest.MapFS{"proc/self/cgroup": file("0::/pod/x"), "sys/fs/cgroup/pod/memory.max": file("134217728"), "sys/fs/cgroup/pod/x/memory.max": file("max")}, Fail, "/sys/fs/cgroup/pod/memory.max"},
		"version 1":        {fstest.MapFS{"proc/self/cgroup": file("5:cpu:/\n3:memory:/pod"), "sys/fs/cgroup/memory/pod/memory.limit_in_bytes": file("134217728")}, Fail, "128MiB"},
		"version 1, none":  {fstest.MapFS{"proc/self/cgroup": file("3:memory:/"), "sys/fs/cgroup/memory/memory.limit_in_bytes": file("9223372036854771712")}, OK, "no limit"},
	} {
		row := (&machine{root: c.files, goLimit: 220 * mib}).memory(t.Context())[0]
		if row.State != c.want || !strings.Contains(row.Seen, c.seen) {
			t.Errorf("%s: %s, %s; want %s with %s", name, row.State, row.Seen, c.want, c.seen)
		}
		if row.State != OK && !strings.Contains(row.Advice, "GOMEMLIMIT") {
			t.Errorf("%s: the advice is %q", name, row.Advice)
		}
	}
}

// TestTimetable: the next times, and the clock to which they belong.
func TestTimetable(t *testing.T) {
	t.Parallel()
	now := func() time.Time { return time.Date(2026, 11, 27, 10, 0, 0, 0, time.UTC) }
	for spec, c := range map[string]struct {
		want State
		seen string
	}{
		"@every 5m":                        {OK, "next at 2026-11-27T10:05:00Z, then at 2026-11-27T10:10:00Z"},
		"CRON_TZ=Europe/Berlin 30 3 * * *": {OK, "next at 2026-11-28T02:30:00Z, then at 2026-11-29T02:30:00Z; time zone Europe/Berlin"},
		"CRON_TZ=UTC 0 0 * * 0":            {Warn, "next at 2026-11-29T00:00:00Z, then at 2026-12-06T00:00:00Z; time zone UTC"},
	} {
		var s config.Schedule
		if err := s.UnmarshalText([]byte(spec)); err != nil {
			t.Fatal(err)
		}
		p := &patient{config: &config.Config{}, process: stream.Process{Now: now}}
		row := (&timetable{p, "cycles", "SCHEDULE", s}).next(t.Context())[0]
		if row.State != c.want || row.Seen != "SCHEDULE="+spec+": "+c.seen {
			t.Errorf("%s: %s %s", spec, row.State, row.Seen)
		}
	}
}

// TestAdmit: a wrong setting does not remove the others, and no check uses a default in its place.
func TestAdmit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		environ []string
		wrong   []string // names of variables
		left    bool     // whether the address of BloodHound is still known
	}{
		"well": {[]string{"HOUNDTRAIL_BLOODHOUND_URL=https://a", "HOUNDTRAIL_BLOODHOUND_JWT=x", "HOUNDTRAIL_ARCHIVE_URL=file:///a"}, nil, true},
		"half a login": {
			[]string{"HOUNDTRAIL_BLOODHOUND_URL=https://a", "HOUNDTRAIL_BLOODHOUND_USERNAME=x", "HOUNDTRAIL_ARCHIVE_URL=file:///a"},
			[]string{"HOUNDTRAIL_BLOODHOUND_PASSWORD"},
			true,
		},
		"two problems": {
			[]string{"HOUNDTRAIL_BLOODHOUND_URL=https://a", "HOUNDTRAIL_BLOODHOUND_JWT=x", "HOUNDTRAIL_ARCHIVE_URL=a", "HOUNDTRAIL_SETTLE=1"},
			[]string{"HOUNDTRAIL_ARCHIVE_URL", "HOUNDTRAIL_SETTLE"},
			true,
		},
		"no file": {
			[]string{"HOUNDTRAIL_BLOODHOUND_URL=https://a", "HOUNDTRAIL_BLOODHOUND_JWT_FILE=/nowhere", "HOUNDTRAIL_ARCHIVE_URL=file:///a"},
			[]string{"HOUNDTRAIL_BLOODHOUND_JWT_FILE"},
			true,
		},
		"no address": {
			[]string{"HOUNDTRAIL_BLOODHOUND_URL=a", "HOUNDTRAIL_BLOODHOUND_JWT=x", "HOUNDTRAIL_ARCHIVE_URL=file:///a"},
			[]string{"HOUNDTRAIL_BLOODHOUND_URL"},
			false,
		},
		"half a lock": {
			[]string{
				"HOUNDTRAIL_BLOODHOUND_URL=https://a", "HOUNDTRAIL_BLOODHOUND_JWT=x", "HOUNDTRAIL_ARCHIVE_URL=s3://abc/d",
				"HOUNDTRAIL_S3_OBJECT_LOCK_DAYS=3",
			},
			[]string{"HOUNDTRAIL_S3_OBJECT_LOCK_MODE"},
			true,
		},
	} {
		p := admit(Options{Environ: c.environ})
		if p.config == nil {
			t.Errorf("%s: no configuration: %v", name, p.err)
			continue
		}
		var wrong []string
		for _, problem := range p.problems {
			wrong = append(wrong, problem.Variable)
		}
		if strings.Join(wrong, " ") != strings.Join(c.wrong, " ") || (p.config.BloodHound.URL != "") != c.left {
			t.Errorf("%s: wrong are %v, and the address is %q", name, wrong, p.config.BloodHound.URL)
		}
		for _, v := range c.wrong {
			if p.unusable(strings.TrimPrefix(v, config.Prefix)) != v {
				t.Errorf("%s: %s counts as usable", name, v)
			}
		}
	}
}

// TestTold: the advice of an error becomes the advice of the row, and no part of it is lost.
func TestTold(t *testing.T) {
	t.Parallel()
	seen, advice := told(at(exporter.StageSink, errors.New("one\ntwo")))
	if seen != "one; two" || advice != "" {
		t.Errorf("%q, %q", seen, advice)
	}
}
