// Command houndtrail keeps the BloodHound audit log: it archives it as Parquet and forwards it to a SIEM, each record
// once. See the README for how to run it.
package main

import (
	"context"
	"fmt"
	"io"
	"log" //nolint:depguard // to send its lines to our own logger
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"
	_ "time/tzdata" // CRON_TZ in an image without time zones

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
)

// version is set by the linker for releases.
var version = "dev"

func main() {
	bound()
	if os.Getenv("GOGC") == "" {
		// A few windows are live, whatever the backlog, and the process makes little garbage. Collecting three times as often
		// as usual has no measurable cost, and saves a third of the memory.
		debug.SetGCPercent(30)
	}
	p := newProgram()
	os.Exit(p.main(untilSignal(), os.Args[1:]))
}

// defaultMemory is the memory limit of the process, in bytes, if GOMEMLIMIT is not set: a pod of 256 MiB, minus the memory that
// is not Go's.
const defaultMemory = 220 << 20

// mostThreads is the most processors that the process uses if GOMAXPROCS is not set. A pod without a limit sees all processors
// of its node, and Go needs memory for each of them.
const mostThreads = 4

// bound keeps the process within the limits of a small pod, unless the environment has others.
func bound() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(defaultMemory)
	}
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(min(runtime.GOMAXPROCS(0), mostThreads))
	}
}

// memory is how many bytes windows may hold together: half of the process's memory limit.
func memory() int64 { return min(debug.SetMemoryLimit(-1), 1<<40) / 2 }

// newProgram is the program of this process, and the only one that touches Go's standard logger.
func newProgram() *program {
	p := &program{stdout: os.Stdout, stderr: os.Stderr, environ: os.Environ(), libraries: new(libraryLog)}
	log.SetFlags(0)
	log.SetOutput(p.libraries)
	return p
}

// untilSignal returns a context that ends when a signal tells the process to stop. A second signal ends the process at once.
func untilSignal() context.Context {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop)
	return ctx
}

// A program is the commands' access to the outside: outputs, environment and clock.
type program struct {
	stdout, stderr io.Writer
	environ        []string
	interactive    bool             // a person waits: if a server is down, the command reports that at once
	patience       time.Duration    // with a server that is down, from the first try to the last; zero for the clients' own
	idle           time.Duration    // how long no byte of a body may move; zero for the clients' own
	now            func() time.Time // our own clock; nil for this machine's
	libraries      *libraryLog      // takes the lines of Go's standard logger; nil leaves that logger alone
}

// process is the part of the program that streams get.
func (p *program) process(log *zap.Logger) stream.Process {
	return stream.Process{
		Version: version, Log: log, Memory: memory(), Interactive: p.interactive, Patience: p.patience, Idle: p.idle, Now: p.now,
	}
}

// asked is the program for a command whose user waits.
func (p *program) asked() *program {
	hasty := *p
	hasty.interactive = true
	return &hasty
}

// main runs one command line and returns the exit code.
func (p *program) main(ctx context.Context, args []string) int {
	root := p.root()
	root.SetArgs(args)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	err := root.ExecuteContext(ctx)
	if err != nil {
		fmt.Fprintln(p.stderr, describe(err))
	}
	return int(stream.OutcomeOf(err))
}
