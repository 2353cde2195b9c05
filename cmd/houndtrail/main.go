// Command houndtrail keeps the BloodHound audit log: it archives it as Parquet and forwards it to a SIEM, each record
// once. See the README for how to run it.
package main

import (
	"context"
	"fmt"
	"io"
	"log" //nolint:depguard // to send what comes there to our own logger
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
		// What is live is a few windows, whatever the backlog, and little garbage is made: collecting three times as
		// often as usual costs nothing that shows, and saves a third of the memory.
		debug.SetGCPercent(30)
	}
	p := newProgram()
	os.Exit(p.main(untilSignal(), os.Args[1:]))
}

// defaultMemory is what the process tries to do with if GOMEMLIMIT does not say: a pod of 256 MiB, but for what is not Go's.
const defaultMemory = 220 << 20

// mostThreads is how many processors are used if GOMAXPROCS does not say. A pod without a limit sees those of its whole
// node, and each of them has memory of its own.
const mostThreads = 4

// bound keeps the process within the limits that a small pod has, if nothing else is said.
func bound() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(defaultMemory)
	}
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(min(runtime.GOMAXPROCS(0), mostThreads))
	}
}

// memory is how many bytes windows may hold together: half of what the process tries to do with.
func memory() int64 { return min(debug.SetMemoryLimit(-1), 1<<40) / 2 }

// newProgram is the program of this process, and the only one that touches Go's standard logger.
func newProgram() *program {
	p := &program{stdout: os.Stdout, stderr: os.Stderr, environ: os.Environ(), libraries: new(libraryLog)}
	log.SetFlags(0)
	log.SetOutput(p.libraries)
	return p
}

// untilSignal ends when the process is told to stop. A second signal ends the process at once.
func untilSignal() context.Context {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop)
	return ctx
}

// A program is what the commands have of the world.
type program struct {
	stdout, stderr io.Writer
	environ        []string
	interactive    bool             // a person waits: a server that is not there is reported at once
	patience       time.Duration    // with a server that is down, from the first try to the last; zero for the clients' own
	idle           time.Duration    // how long no byte of a body may move; zero for the clients' own
	now            func() time.Time // our own clock; nil for this machine's
	libraries      *libraryLog      // what libraries say through Go's standard logger; nil leaves that alone
}

// process is what streams have of it.
func (p *program) process(log *zap.Logger) stream.Process {
	return stream.Process{
		Version: version, Log: log, Memory: memory(), Interactive: p.interactive, Patience: p.patience, Idle: p.idle, Now: p.now,
	}
}

// asked is the program for what a person waits for.
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
