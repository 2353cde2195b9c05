package main

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/rogpeppe/go-internal/txtar"
)

// enough is how long a script waits for something that should happen soon, on a busy machine.
const enough = 20 * time.Second

// exits runs a command and compares its exit code:
//
//	exits 3 houndtrail run --once
//
// No command may print one of the world's secrets.
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

// changing has the parts of messages that differ from run to run, and the words of the scripts for them.
var changing = []struct {
	pattern *regexp.Regexp
	word    string
}{
	{regexp.MustCompile(`request id [0-9A-Za-z-]+`), "request id REQUEST"},
	{regexp.MustCompile(`\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`), "UUID"},
	{regexp.MustCompile(`\b[0-9a-f]{64}\b`), "SHA256"},
	{regexp.MustCompile(`\b\d{17}/\d{20}\.json\b`), "SERIAL.json"},
	{regexp.MustCompile(`\bbatch [0-9a-f]{32}\b`), "batch BATCH"},
	{regexp.MustCompile(`\b\d+ bytes\b`), "N bytes"},
	{regexp.MustCompile(`\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`), "TIME"},
	{regexp.MustCompile(`\b20\d{6}T\d{6}\.\d{6}Z`), "TIME"},
	{regexp.MustCompile(`dt=20\d\d-\d\d-\d\d`), "dt=DAY"},
	{regexp.MustCompile(`\b\d+ tries in [0-9.]+m?s\b`), "N tries in DURATION"},
	{regexp.MustCompile(`\bby [0-9.]+ minutes\b`), "by N minutes"},
	{regexp.MustCompile(`\bclock is \d\S* (ahead|behind)`), "clock is DURATION $1"},
	{regexp.MustCompile(`on \S+ \(pid \d+\)`), "on HOST (pid PID)"},
	{regexp.MustCompile(`written by houndtrail \S+ on \S+ at`), "written by houndtrail VERSION on HOST at"},
	{regexp.MustCompile(`user \d+ and group \d+`), "user UID and group GID"},
}

// complains compares standard error with a file, as a whole, so that a script shows what its user reads. A script writes the
// parts that differ from run to run in capitals. complains fills in $VARIABLES of the environment, and joins a line that is
// indented by four spaces to the previous one.
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
	switch {
	case got == want:
	case *update:
		worldOf(ts).golden[args[0]] = fold(ts, got)
	default:
		ts.Fatalf("standard error says:\n%s\nwant:\n%s\nif that is better: go test ./cmd/houndtrail -run Scripts -update", got, want)
	}
}

// fold is the text in the form of a script: with the names of the variables, in lines of a readable length.
func fold(ts *testscript.TestScript, text string) []byte {
	for _, name := range []string{"RIGHT", "BLOODHOUND", "WEBSITE", "SIEM", "ADDRESS", "PORT", "S3", "WORK"} {
		if value := ts.Getenv(name); value != "" {
			text = strings.ReplaceAll(text, value, "$"+name)
		}
	}
	var b bytes.Buffer
	for line := range strings.Lines(text) {
		const width = 120
		for len(line) > width {
			cut := strings.LastIndex(line[:width], " ")
			if cut < 8 {
				break
			}
			b.WriteString(line[:cut] + "\n")
			line = "    " + line[cut+1:]
		}
		b.WriteString(line)
	}
	return b.Bytes()
}

// rewrite puts new texts into a script.
func rewrite(script string, golden map[string][]byte) error {
	if len(golden) == 0 {
		return nil
	}
	archive, err := txtar.ParseFile(script)
	if err != nil {
		return err
	}
	for i, file := range archive.Files {
		if text, ok := golden[file.Name]; ok {
			archive.Files[i].Data = text
		}
	}
	return os.WriteFile(script, txtar.Format(archive), 0o644)
}

// A process runs at the same time as the script. Its output goes to $WORK/NAME.out and NAME.err while it runs.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error // valid once done is closed
}

// begin runs a command at the same time as the script:
//
//	begin daemon houndtrail run
func begin(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: begin NAME command...")
	}
	w, name := worldOf(ts), args[0]
	var out [2]*os.File
	for i, suffix := range []string{".out", ".err"} {
		var err error
		out[i], err = os.Create(ts.MkAbs(name + suffix))
		ts.Check(err)
	}
	cmd := exec.Command(args[1], args[2:]...)
	cmd.Dir, cmd.Env = ts.MkAbs("."), environOf(ts)
	cmd.Stdout, cmd.Stderr = out[0], out[1]
	ts.Check(cmd.Start())
	ts.Check(errors.Join(out[0].Close(), out[1].Close())) // the process has its own handles
	p := &process{cmd: cmd, done: make(chan struct{})}
	go func() { defer close(p.done); p.err = cmd.Wait() }()
	ts.Defer(func() { _ = cmd.Process.Kill(); <-p.done })
	w.running[name] = p
}

// end sends a signal to a process, waits for its end and compares its exit code; -1 is the end by a signal. With the signal 0
// it only waits. Then standard output and error have the output of the process.
//
//	end daemon TERM 0
func end(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 || worldOf(ts).running[args[0]] == nil {
		ts.Fatalf("usage: end NAME TERM|INT|KILL|0 CODE")
	}
	p := worldOf(ts).running[args[0]]
	if args[1] != "0" {
		send(ts, false, args[:2])
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

// send sends a signal to a process and does not wait for its end.
//
//	send daemon TERM
func send(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 || worldOf(ts).running[args[0]] == nil {
		ts.Fatalf("usage: send NAME TERM|INT|HUP|KILL")
	}
	s, ok := map[string]os.Signal{"TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP, "INT": os.Interrupt, "KILL": os.Kill}[args[1]]
	if !ok {
		ts.Fatalf("send %s: unknown", args[1])
	}
	ts.Check(worldOf(ts).running[args[0]].cmd.Process.Signal(s))
}

// appears waits until a file, such as a process's output, matches a pattern. If a variable is named, it gets the match of the
// pattern's group.
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

// get asks for a URL until the answer has the wanted status. Standard output is the body.
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

// crowd opens connections that ask for nothing, and holds them until the script ends:
//
//	crowd 1100 $ADDRESS
func crowd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: crowd N ADDRESS")
	}
	for range number(ts, args[0]) {
		c, err := net.Dial("tcp", args[1])
		ts.Check(err)
		ts.Defer(func() { _ = c.Close() })
	}
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

// environOf is the script's environment, as exec would pass it on. The library does not show it, but a shell prints it.
func environOf(ts *testscript.TestScript) []string {
	ts.Check(ts.Exec("sh", "-c", "env > .environ"))
	return strings.Split(strings.TrimSpace(ts.ReadFile(".environ")), "\n")
}
