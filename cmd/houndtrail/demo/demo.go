// Package demo shows all of Houndtrail at work, without any installation: it serves a BloodHound with a history and a receiver,
// and exports from one to the other.
package demo

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/show"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/config"
)

// Options are the options of the demo.
type Options struct {
	Dir     string // for the archive
	Records int    // the length of the made-up history
	Version string
	Memory  int64 // bytes that all windows may hold together
	Out     io.Writer
}

// Run is the demonstration from its beginning to its end.
func Run(ctx context.Context, o Options) error {
	if err := o.check(); err != nil {
		return err
	}
	dir, err := emptied(o.Dir)
	if err != nil {
		return err
	}
	w, err := newWorld(ctx, o.Records)
	if err != nil {
		return err
	}
	defer w.close()
	o.say("A BloodHound test double serves six weeks of audit log:\n  %s\n", w.source.url)
	environ := w.environ(dir)
	if err := os.WriteFile(filepath.Join(dir, envName), []byte(envFile(environ)), 0o600); err != nil {
		return err
	}
	c, err := config.Load(environ, config.NeedExport)
	if err != nil {
		return err
	}
	// Our own clock is the clock of the demo's BloodHound.
	set := stream.NewSet(c, stream.Process{Version: o.Version, Memory: o.Memory, Log: zap.NewNop(), Now: w.now})
	if err := o.twice(ctx, set, w); err != nil {
		return err
	}
	o.say("\n3. The journal of the archive: one immutable, hash-chained entry for each commit\n\n")
	if err := o.history(ctx, set); err != nil {
		return err
	}
	o.say("\n4. What that proves\n\n")
	proof, err := w.prove(ctx, set)
	if err != nil {
		return err
	}
	o.say("%s", proof)
	if !proof.holds() {
		return fmt.Errorf("the demo's archive does not hold what was served: please report this, with the seed %d", seed)
	}
	o.say("%s", nextSteps(o.Dir))
	return nil
}

func (o Options) check() error {
	if o.Records < 1 {
		return stream.Usagef("--records %d: want at least 1", o.Records)
	}
	return nil
}

func (o Options) say(format string, args ...any) { fmt.Fprintf(o.Out, format, args...) }

// twice is a first run, and half an hour later a second run.
func (o Options) twice(ctx context.Context, set *stream.Set, w *world) error {
	o.say("\n1. The first run: everything there is, to a webhook, and to Parquet files in\n   %s\n", filepath.Join(o.Dir, "archive"))
	if err := o.export(ctx, set, w); err != nil {
		return err
	}
	w.halfAnHourLater()
	o.say("\n2. Half an hour later: new records, and late ones that are stamped before\n   what was already read\n")
	return o.export(ctx, set, w)
}

// export runs one cycle of each stream, one after the other: so each of them can show its progress.
func (o Options) export(ctx context.Context, set *stream.Set, w *world) error {
	all, err := set.Deliver(ctx, stream.Unobserved{})
	if err != nil {
		return err
	}
	for _, s := range all {
		progress := show.NewExport(o.Out, s.Name, w.start(), w.now())
		s.Observer = progress
		if err := s.RunOnce(ctx); err != nil {
			return &stream.Error{Stream: s.Name, Err: err}
		}
		progress.Done()
	}
	return nil
}

// history prints the journal of the archive.
func (o Options) history(ctx context.Context, set *stream.Set) error {
	j, err := set.Journal(ctx, stream.Archive)
	if err != nil {
		return err
	}
	out := show.NewEntries(o.Out, "table")
	for entry, err := range j.Survey(ctx) {
		if err != nil {
			return err
		}
		if err := out.Add(entry); err != nil {
			return err
		}
	}
	return out.End(true)
}

// envName is the file with the demo's configuration. A directory that has this file is an earlier demo's.
const envName = "demo.env"

// emptied makes an empty directory. It replaces an earlier demo's directory. It does not touch a directory that no demo made.
func emptied(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		return "", stream.Usagef("--dir %s: %w", dir, err)
	}
	if len(entries) > 0 {
		if _, err := os.Stat(filepath.Join(dir, envName)); err != nil {
			return "", stream.Usagef("--dir %s is not empty and not an earlier demo's: choose another directory", dir)
		}
		for _, name := range []string{"archive", "checkpoints", envName} {
			if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
				return "", err
			}
		}
	}
	return dir, os.MkdirAll(dir, 0o750)
}

func envFile(environ []string) string {
	return "# The configuration of the demo. Its servers are gone; status --offline, history and ddl work without them.\n" +
		strings.Join(environ, "\n") + "\n"
}

func nextSteps(dir string) string {
	self := "houndtrail"
	if strings.Contains(os.Args[0], "go-build") { // as in the README: go run ./cmd/houndtrail demo
		self = "go run ./cmd/houndtrail"
	}
	return fmt.Sprintf(`
Next, try:

  duckdb -c "SELECT action, status, count(*) AS n
    FROM read_parquet('%[1]s/archive/audit/*/*/*.parquet',
      hive_partitioning = true)
    GROUP BY ALL ORDER BY n DESC LIMIT 10"

  env $(grep -v '^#' %[1]s/%[2]s) %[3]s status --offline

  env $(grep -v '^#' %[1]s/%[2]s) %[3]s history -o json

  env $(grep -v '^#' %[1]s/%[2]s) %[3]s ddl --dialect duckdb
`, dir, envName, self)
}

// halfHour is how far the demo's clock jumps. At first the clock is so far behind. It is less than the hour by which the time
// of a signature may differ.
const halfHour = 30 * time.Minute
