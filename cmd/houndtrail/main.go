// Command houndtrail keeps the BloodHound audit log: it archives it as Parquet and forwards it to a SIEM, each record
// once. See the README for how to run it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log" //nolint:depguard // so that this package can send its lines to our own logger
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
	_ "time/tzdata" // so that CRON_TZ works in an image without time zones

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/show"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/exporter"
)

// The linker sets these for releases: the version, the commit, and the commit's time in RFC 3339. A build of a checkout has the
// last two from Go's own stamp.
var (
	version      = "dev"
	commit, date string
)

func main() {
	bound()
	if os.Getenv("GOGC") == "" {
		// However long the backlog is, only a few windows are in memory, and the process makes little garbage. The garbage collector
		// runs three times as often as usual. This has no measurable cost, and saves a third of the memory.
		debug.SetGCPercent(30)
	}
	p := newProgram()
	os.Exit(p.main(untilSignal(), os.Args[1:]))
}

// defaultMemory is the memory limit of the process in bytes, if GOMEMLIMIT is not set. It is made for a pod of 256 MiB, minus
// the memory that is not Go's.
const defaultMemory = 220 << 20

// mostThreads is the most processors that the process uses if GOMAXPROCS is not set. A pod without a limit sees all processors
// of its node, and Go needs memory for each of them.
const mostThreads = 4

// bound keeps the process within the limits of a small pod, unless the environment sets other limits.
func bound() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(defaultMemory)
	}
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(min(runtime.GOMAXPROCS(0), mostThreads))
	}
}

// memory is how many bytes all windows may hold together: half of the process's memory limit.
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
	patience       time.Duration    // from the first try to the last, if a server is down; zero for the clients' defaults
	idle           time.Duration    // how long a body may pause, without a byte that moves; zero for the clients' defaults
	now            func() time.Time // our own clock; nil for this machine's
	libraries      *libraryLog      // takes the lines of Go's standard logger; if nil, that logger stays as it is
}

// process is the part of the program that streams get.
func (p *program) process(log *zap.Logger) stream.Process {
	return stream.Process{
		Version: version, Log: log, Memory: memory(), Interactive: p.interactive, Patience: p.patience, Idle: p.idle, Now: p.now,
	}
}

// asked is the program for a command while a user waits.
func (p *program) asked() *program {
	hasty := *p
	hasty.interactive = true
	return &hasty
}

// main runs one command line and returns the exit code.
func (p *program) main(ctx context.Context, args []string) int {
	root := p.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err != nil {
		fmt.Fprintln(p.stderr, describe(err))
	}
	return int(stream.OutcomeOf(err))
}

// describe is the text of the error that the program prints at its end. Each line begins with the program's name.
func describe(err error) string {
	if errors.As(err, new(*config.Error)) {
		return "houndtrail: the configuration is not usable:\n  " + strings.ReplaceAll(err.Error(), "\n", "\n  ")
	}
	if errors.Is(err, context.Canceled) && !errors.As(err, new(*exporter.Error)) {
		return "houndtrail: interrupted"
	}
	return "houndtrail: " + strings.ReplaceAll(err.Error(), "\n", "\nhoundtrail: ")
}

// logger writes to standard error: JSON to a pipe, and readable lines to a terminal.
func (p *program) logger(c config.Log) *zap.Logger {
	format := string(c.Format)
	if format == "auto" {
		format = "json"
		if show.IsTerminal(p.stderr) {
			format = "console"
		}
	}
	ec := zap.NewProductionEncoderConfig()
	ec.EncodeTime = func(t time.Time, to zapcore.PrimitiveArrayEncoder) { to.AppendString(t.UTC().Format(time.RFC3339)) }
	ec.EncodeDuration = zapcore.StringDurationEncoder
	ec.TimeKey = "time"
	encoder := zapcore.NewJSONEncoder(ec)
	if format == "console" {
		ec.EncodeLevel = zapcore.CapitalLevelEncoder
		if show.IsTerminal(p.stderr) {
			ec.EncodeLevel = zapcore.CapitalColorLevelEncoder
		}
		encoder = zapcore.NewConsoleEncoder(ec)
	}
	l := zap.New(zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(p.stderr)), c.Level))
	if p.libraries != nil {
		p.libraries.to.Store(l)
	}
	return l
}

// A libraryLog takes the lines that libraries write to Go's standard logger, since they know no other logger. For example,
// net/http reports an answer that it did not ask for, with all the bytes that it has read. libraryLog cuts lines short, since
// they may have records in them.
type libraryLog struct{ to atomic.Pointer[zap.Logger] }

// longestLine is how many bytes of a line the log keeps. net/http's own words take about 60 of them.
const longestLine = 120

// Write logs one line. Before there is a logger, Houndtrail sends no request, so no line comes.
func (l *libraryLog) Write(line []byte) (int, error) {
	if to := l.to.Load(); to != nil {
		said := strings.TrimSpace(string(line))
		if len(said) > longestLine {
			said = strings.ToValidUTF8(said[:longestLine], "") + "..."
		}
		to.Warn("a library says", zap.String("text", said))
	}
	return len(line), nil
}

// load reads the configuration and prints a warning for each setting that is probably a mistake.
func (p *program) load(need config.Need) (*config.Config, error) {
	c, err := config.Load(p.environ, need)
	if err != nil {
		return nil, err
	}
	for _, w := range c.Warnings() {
		fmt.Fprintln(p.stderr, "houndtrail: warning:", w)
	}
	return c, nil
}
