package stream_test

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest"
	"github.com/houndtrail/houndtrail/sink/webhook"
)

// TestUnexplained: only an error of a server or a store without advice of its own needs a closer look.
func TestUnexplained(t *testing.T) {
	t.Parallel()
	source := func(err error) error { return stream.At(exporter.StageSource, err) }
	for name, c := range map[string]struct {
		err  error
		want bool
	}{
		"none":              {nil, false},
		"with advice":       {source(&rest.Error{Kind: rest.Unauthorized, Advice: "set it"}), false},
		"without advice":    {source(&rest.Error{Kind: rest.Server}), true},
		"another error":     {errors.New("broken"), true},
		"SIEM is down":      {stream.At(exporter.StageSink, &webhook.StatusError{Status: 503}), true},
		"SIEM refuses":      {stream.At(exporter.StageSink, &webhook.StatusError{Status: 401}), false},
		"SIEM asks to wait": {stream.At(exporter.StageSink, &webhook.PostponedError{}), false},
		"a file system":     {stream.At(exporter.StageSink, fmt.Errorf("write: %w", syscall.ENOSPC)), false},
		"configuration":     {stream.Usagef("wrong"), false},
		"integrity":         {source(exporter.ErrIncomplete), false},
		"told to stop":      {exporter.ErrStopped, false},
		"interrupted":       {context.Canceled, false},
	} {
		if got := stream.Unexplained(c.err); got != c.want {
			t.Errorf("%s: unexplained is %t, want %t", name, got, c.want)
		}
	}
}
