package main

import (
	"fmt"
	"io"
	"os"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/term"

	"houndtrail/config"
)

// logger writes to standard error: JSON into a pipe, readable lines on a terminal.
func (p *program) logger(c config.Log) *zap.Logger {
	format := string(c.Format)
	if format == "auto" {
		format = "json"
		if isTerminal(p.stderr) {
			format = "console"
		}
	}
	ec := zap.NewProductionEncoderConfig()
	ec.EncodeTime = zapcore.RFC3339TimeEncoder
	ec.EncodeDuration = zapcore.StringDurationEncoder
	ec.TimeKey = "time"
	encoder := zapcore.NewJSONEncoder(ec)
	if format == "console" {
		ec.EncodeLevel = zapcore.CapitalLevelEncoder
		if isTerminal(p.stderr) {
			ec.EncodeLevel = zapcore.CapitalColorLevelEncoder
		}
		encoder = zapcore.NewConsoleEncoder(ec)
	}
	return zap.New(zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(p.stderr)), c.Level))
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// load reads the configuration and says what is probably not meant in it.
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

// cronLog lets the scheduler speak through zap.
type cronLog struct{ *zap.SugaredLogger }

func (l cronLog) Info(msg string, kv ...any) { l.Debugw("schedule: "+msg, kv...) }

func (l cronLog) Error(err error, msg string, kv ...any) {
	l.Errorw("schedule: "+msg, append(kv, "error", err)...)
}
