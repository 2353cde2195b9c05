package main

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// enough is how long a script waits for something that should happen soon, on a busy machine.
const enough = 20 * time.Second

// exits runs a command and compares its exit code:
//
//	exits 3 houndtrail run --once
//
// Whatever the command is, none of the world's secrets may be in what it prints.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE command...")
	}
	err := ts.Exec(args[1], args[2:]...)
	checkExit(ts, err, number(ts, args[0]))
	keepsSecrets(ts, ts.ReadFile("stdout")+ts.ReadFile("stderr"))
}

func checkExit(ts *testscript.TestScript, err error, want int) {
	code := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
}

func keepsSecrets(ts *testscript.TestScript, output string) {
	for _, secret := range worldOf(ts).secrets {
		if strings.Contains(output, secret) {
			ts.Fatalf("the output holds the secret %q", secret)
		}
	}
}

// changing is what differs from run to run in messages, and how a script writes it.
var changing = []struct {
	pattern *regexp.Regexp
	word    string
}{
	{regexp.MustCompile(`request id [0-9A-Za-z-]+`), "request id REQUEST"},
	{regexp.MustCompile(`\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`), "UUID"},
	{regexp.MustCompile(`\b[0-9a-f]{64}\b`), "SHA256"},
	{regexp.MustCompile(`\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`), "TIME"},
	{regexp.MustCompile(`\b20\d{6}T\d{6}\.\d{6}Z`), "TIME"},
	{regexp.MustCompile(`dt=20\d\d-\d\d-\d\d`), "dt=DAY"},
	{regexp.MustCompile(`\b\d+ tries in [0-9.]+m?s\b`), "N tries in DURATION"},
	{regexp.MustCompile(`on \S+ \(pid \d+\)`), "on HOST (pid PID)"},
	{regexp.MustCompile(`127\.0\.0\.1:\d+->`), ""},
	{regexp.MustCompile(`\.tmp-[A-Z2-7]+`), ".tmp-X"},
}

// complains compares standard error with a file, as a whole, so that a script shows what its user reads. What changes
// from run to run is written in capitals, $VARIABLES of the environment are filled in, and a line that is indented by
// four spaces goes on with the one before.
func complains(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: complains FILE")
	}
	got := ts.ReadFile("stderr")
	for _, c := range changing {
		got = c.pattern.ReplaceAllString(got, c.word)
	}
	want := os.Expand(strings.ReplaceAll(ts.ReadFile(args[0]), "\n    ", " "), ts.Getenv)
	for _, c := range changing {
		want = c.pattern.ReplaceAllString(want, c.word)
	}
	if got != want {
		ts.Fatalf("standard error says:\n%s\nwant:\n%s", got, want)
	}
}

// A process runs beside the script. What it prints goes to $WORK/NAME.out and NAME.err while it runs.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error // valid once done is closed
}

// startCommand runs a command beside the script:
//
//	start daemon houndtrail run
func startCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: start NAME command...")
	}
	w, name := worldOf(ts), args[0]
	var out [2]*os.File
	for i, suffix := range []string{".out", ".err"} {
		var err error
		out[i], err = os.Create(ts.MkAbs(name + suffix))
		ts.Check(err)
		defer out[i].Close()
	}
	cmd := exec.Command(args[1], args[2:]...)
	cmd.Dir, cmd.Env = ts.MkAbs("."), environOf(ts)
	cmd.Stdout, cmd.Stderr = out[0], out[1]
	ts.Check(cmd.Start())
	p := &process{cmd: cmd, done: make(chan struct{})}
	go func() { defer close(p.done); p.err = cmd.Wait() }()
	ts.Defer(func() { _ = cmd.Process.Kill(); <-p.done })
	if w.running == nil {
		w.running = map[string]*process{}
	}
	w.running[name] = p
}

// stopCommand sends a signal to a process, waits for its end and compares its exit code; -1 is the end by a signal.
// With the signal 0 it only waits. What the process has printed is standard output and error then.
//
//	stop daemon TERM 0
func stopCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 || worldOf(ts).running[args[0]] == nil {
		ts.Fatalf("usage: stop NAME TERM|INT|KILL|0 CODE")
	}
	p := worldOf(ts).running[args[0]]
	signals := map[string]syscall.Signal{"TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "KILL": syscall.SIGKILL}
	if s, ok := signals[args[1]]; ok {
		ts.Check(p.cmd.Process.Signal(s))
	}
	select {
	case <-p.done:
	case <-time.After(enough):
		ts.Fatalf("%s still runs %s after signal %s", args[0], enough, args[1])
	}
	stdout, stderr := ts.ReadFile(args[0]+".out"), ts.ReadFile(args[0]+".err")
	_, _ = io.WriteString(ts.Stdout(), stdout)
	_, _ = io.WriteString(ts.Stderr(), stderr)
	keepsSecrets(ts, stdout+stderr)
	checkExit(ts, p.err, number(ts, args[2]))
}

// appears waits until a file, such as a process's output, matches a pattern. What the pattern's group matches becomes
// the environment variable, if one is named.
//
//	appears 'address":"([^"]+)' daemon.err ADDRESS
func appears(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: appears PATTERN FILE [VARIABLE]")
	}
	pattern := regexp.MustCompile("(?m)" + args[0])
	var match []string
	var body []byte
	if !eventually(func() bool {
		body, _ = os.ReadFile(ts.MkAbs(args[1]))
		match = pattern.FindStringSubmatch(string(body))
		return match != nil
	}) {
		ts.Fatalf("no %q in %s:\n%s", args[0], args[1], body)
	}
	if len(args) == 3 {
		ts.Setenv(args[2], match[1])
	}
}

// get asks for a URL until the status is the one that is wanted. Standard output is the body.
//
//	get 503 http://$ADDRESS/readyz
func get(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: get STATUS URL")
	}
	var status string
	var body bytes.Buffer
	if !eventually(func() bool {
		body.Reset()
		res, err := http.Get(args[1])
		if err != nil {
			status = err.Error()
			return false
		}
		defer res.Body.Close()
		status = strconv.Itoa(res.StatusCode)
		_, err = body.ReadFrom(res.Body)
		return err == nil && status == args[0]
	}) {
		ts.Fatalf("%s: %s, want %s:\n%s", args[1], status, args[0], &body)
	}
	keepsSecrets(ts, body.String())
	_, _ = body.WriteTo(ts.Stdout())
}

// eventually asks until the answer is yes, or enough time has passed.
func eventually(is func() bool) bool {
	deadline := time.After(enough)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-deadline:
			return false
		case <-tick.C:
		}
	}
	return true
}

// environOf is the script's environment, as exec would pass it on. The library keeps it to itself, a shell does not.
func environOf(ts *testscript.TestScript) []string {
	ts.Check(ts.Exec("sh", "-c", "env > .environ"))
	return strings.Split(strings.TrimSpace(ts.ReadFile(".environ")), "\n")
}
