package main

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/exporter"
)

func TestDescribe(t *testing.T) {
	t.Parallel()
	cycle := errors.Join(
		&exporter.Error{Stage: exporter.StageSink, Err: errors.New("disk full")},
		&exporter.Error{Stage: exporter.StageCheckpoint, Err: errors.New("lease not released")},
	)
	for _, c := range []struct {
		err  error
		want string
	}{
		{errors.New("broken"), "houndtrail: broken"},
		{
			&config.Error{Problems: []config.Problem{{Variable: "A", Reason: "wrong"}, {Variable: "B", Reason: "missing"}}},
			"houndtrail: the configuration is not usable:\n  A: wrong\n  B: missing",
		},
		{fmt.Errorf("query: %w", context.Canceled), "houndtrail: interrupted"},
		{
			errors.Join(&stream.Error{Stream: "archive", Err: cycle}, &stream.Error{Stream: "webhook", Err: fmt.Errorf("%w: late", exporter.ErrStopped)}),
			"houndtrail: archive stream: sink: disk full\n" +
				"houndtrail: archive stream: checkpoint: lease not released\n" +
				"houndtrail: webhook stream: told to stop before everything was committed; the next run starts from the last commit",
		},
	} {
		if got := describe(c.err); got != c.want {
			t.Errorf("describe is\n%s\nwant\n%s", got, c.want)
		}
	}
}
