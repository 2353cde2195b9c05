package crashtest

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/sink/sinktest/servers"
)

// Ends of a process.
const (
	killed    = -1 // by a signal
	leaseHeld = 5  // exit code: another runner holds the lease
)

// runs are the processes of one test, one after another, and how they ended.
type runs struct {
	t       *testing.T
	environ []string
	within  string // the file of a cgroup that each process enters first; "" for none
	log     string // the path of the output of all processes
	ended   map[int]int
}

func newRuns(t *testing.T, environ []string) *runs {
	t.Helper()
	if err := noticeChanges(); err != nil {
		t.Fatal(err)
	}
	r := &runs{t: t, environ: environ, log: filepath.Join(t.TempDir(), "houndtrail.log"), ended: map[int]int{}}
	t.Cleanup(func() {
		if t.Failed() {
			const tail = 40 // lines
			lines := strings.Split(strings.TrimSpace(r.said()), "\n")
			t.Logf("the last that houndtrail said:\n%s", strings.Join(lines[max(0, len(lines)-tail):], "\n"))
		}
	})
	return r
}

// A process is one run of the binary.
type process struct {
	*runs
	cmd  *exec.Cmd
	done chan struct{}
	code int // valid once done is closed
}

// start starts houndtrail with these arguments.
func (r *runs) start(args ...string) *process {
	r.t.Helper()
	log, err := os.OpenFile(r.log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = log.Close() }() // the process has its own handle
	cmd := exec.CommandContext(r.t.Context(), binary, args...)
	if r.within != "" {
		enter := []string{"-c", `echo $$ >"$0" && exec "$@"`, r.within, binary}
		cmd = exec.CommandContext(r.t.Context(), "sh", append(enter, args...)...)
	}
	cmd.Env, cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = r.environ, log, log, servers.DieWithTest()
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	p := &process{runs: r, cmd: cmd, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		p.code = exitCode(cmd.Wait())
	}()
	r.t.Cleanup(func() { <-p.done }) // the test's context has ended, and the process with it
	return p
}

func exitCode(err error) int {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	return 0 // no error: the process has ended with 0
}

// end sends a signal and waits for the end.
func (p *process) end(signal os.Signal) int {
	p.t.Helper()
	if err := p.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Fatal(err)
	}
	return p.wait()
}

// wait waits for the end and counts it.
func (p *process) wait() int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Fatalf("%s still runs after %s", p.cmd, patience)
	}
	p.ended[p.code]++
	return p.code
}

// patience is how long one run or one wait may take, on a busy machine.
const patience = 15 * time.Minute

// output runs houndtrail, and returns what it prints on standard output. The exit code has to be the wanted one.
func (r *runs) output(want int, args ...string) string {
	r.t.Helper()
	log, err := os.OpenFile(r.log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	var out bytes.Buffer
	cmd := exec.CommandContext(r.t.Context(), binary, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = r.environ, &out, log, servers.DieWithTest()
	if code := exitCode(cmd.Run()); code != want {
		r.t.Errorf("houndtrail %s: exit code %d, want %d\n%.3000s", strings.Join(args, " "), code, want, out.String())
	}
	return out.String()
}

// said is the output of all processes so far.
func (r *runs) said() string {
	text, err := os.ReadFile(r.log)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// lines counts the lines in the log that hold a text.
func (r *runs) lines(text string) int { return bytes.Count([]byte(r.said()), []byte(text)) }

// String says how the runs ended.
func (r *runs) String() string {
	var b strings.Builder
	for i, code := range slices.Sorted(maps.Keys(r.ended)) {
		if i > 0 {
			b.WriteString(", ")
		}
		if code == killed {
			fmt.Fprintf(&b, "%d killed", r.ended[code])
		} else {
			fmt.Fprintf(&b, "%d with exit code %d", r.ended[code], code)
		}
	}
	return b.String()
}
