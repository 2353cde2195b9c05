package main

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
)

// TestStatusInterrupted: if the user stops status, it prints neither a table nor the errors that follow from that.
func TestStatusInterrupted(t *testing.T) {
	t.Parallel()
	p := &program{
		stdout: &bytes.Buffer{}, stderr: &bytes.Buffer{}, patience: 50 * time.Millisecond,
		environ: []string{
			"HOUNDTRAIL_BLOODHOUND_URL=http://127.0.0.1:1", "HOUNDTRAIL_BLOODHOUND_TOKEN_ID=" + tokenID,
			"HOUNDTRAIL_BLOODHOUND_TOKEN_KEY=" + tokenKey, "HOUNDTRAIL_ARCHIVE_URL=file://" + t.TempDir(),
			"HOUNDTRAIL_LOG_LEVEL=error",
		},
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if code := p.main(ctx, []string{"status"}); code != int(stream.Interrupted) {
		t.Errorf("exit code %d", code)
	}
	out, _ := p.stdout.(*bytes.Buffer)
	if said, _ := p.stderr.(*bytes.Buffer); out.Len() > 0 || said.String() != "houndtrail: interrupted\n" {
		t.Errorf("it prints\n%s%s", out, said)
	}
}
