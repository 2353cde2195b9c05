package main

import (
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/show"
	"github.com/houndtrail/houndtrail/config"
)

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

// A libraryLog takes the lines that libraries write to Go's standard logger, since they know no other. For example, net/http
// reports an answer that it did not ask for, with all the bytes that it has read. libraryLog cuts lines short, since they may
// have records in them.
type libraryLog struct{ to atomic.Pointer[zap.Logger] }

// longestLine is how much of a line is logged, in bytes. net/http's own words take about 60 of them.
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
