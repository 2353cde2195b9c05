package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint/bucket/open"
	"github.com/houndtrail/houndtrail/config"
)

// demoOptions are the flags of demo.
type demoOptions struct {
	dir     string
	records int
}

func (p *program) demo() *cobra.Command {
	var o demoOptions
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See the whole thing work, with nothing installed",
		Long: `Start a BloodHound test double with weeks of believable history, export it as Parquet into a directory, forward it as
NDJSON to a receiver, let some late records appear, run again, and show what can be proven. Nothing leaves this machine:
both servers listen on the loopback interface and end with the command.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.tell(cmd.Context(), o) },
	}
	cmd.Flags().StringVar(&o.dir, "dir", "houndtrail-demo", "where to put the archive; what an earlier demo left there is replaced")
	cmd.Flags().IntVar(&o.records, "records", 40_000, "how much history to make up")
	return cmd
}

// tell is the demonstration from the beginning to the end.
func (p *program) tell(ctx context.Context, o demoOptions) error {
	if o.records < 1 {
		return &usageError{fmt.Errorf("--records %d: want at least 1", o.records)}
	}
	dir, err := clearDemo(o.dir)
	if err != nil {
		return err
	}
	world, err := newDemoWorld(ctx, o.records)
	if err != nil {
		return err
	}
	defer world.close()
	demo := *p
	demo.now, p = world.now, &demo // our own clock goes with that of the demo's BloodHound
	p.say("A BloodHound test double serves six weeks of audit log at %s.\n", world.source.url)
	environ := world.environ(dir)
	if err := os.WriteFile(filepath.Join(dir, demoEnv), []byte(envFile(environ)), 0o600); err != nil {
		return err
	}
	c, err := config.Load(environ, config.NeedExport)
	if err != nil {
		return err
	}

	p.say("\n1. The first run: everything there is, to Parquet files in %s and to a webhook\n", filepath.Join(o.dir, "archive"))
	if err := p.export(ctx, c, world); err != nil {
		return err
	}
	world.halfAnHourLater()
	p.say("\n2. Half an hour later: new records, and late ones that are stamped before what was already read\n")
	if err := p.export(ctx, c, world); err != nil {
		return err
	}
	p.say("\n3. The journal of the archive: one immutable, hash-chained entry for each commit\n\n")
	positions, err := open.Open(ctx, string(c.Checkpoint.URL), open.Options{})
	if err != nil {
		return err
	}
	if err := p.showHistory(ctx, c, positions, archiveStream, 0, "table"); err != nil {
		return err
	}
	p.say("\n4. What that proves\n\n")
	proof, err := world.prove(ctx, c)
	if err != nil {
		return err
	}
	p.say("%s", proof)
	if !proof.holds() {
		return fmt.Errorf("the demo's archive does not hold what was served: please report this, with the seed %d", demoSeed)
	}
	p.say("%s", nextSteps(o.dir))
	return nil
}

func (p *program) say(format string, args ...any) { fmt.Fprintf(p.stdout, format, args...) }

// export runs one cycle of each stream, one after the other so that each can show how far it is.
func (p *program) export(ctx context.Context, c *config.Config, world *demoWorld) error {
	all, err := p.streams(ctx, c, zap.NewNop(), newMetrics(c.Tenant))
	if err != nil {
		return err
	}
	for _, s := range all {
		bar := newProgress(p.stdout, s.name, world.start(), world.now())
		s.Observer = bar
		if err := s.RunOnce(ctx); err != nil {
			return &streamError{s.name, err}
		}
		bar.done()
	}
	return nil
}

// demoEnv is the file that holds the demo's configuration, and by which a directory is known to be a demo's.
const demoEnv = "demo.env"

// clearDemo makes an empty directory, in place of an earlier demo's. It does not touch anybody else's.
func clearDemo(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		return "", &usageError{fmt.Errorf("--dir %s: %w", dir, err)}
	}
	if len(entries) > 0 {
		if _, err := os.Stat(filepath.Join(dir, demoEnv)); err != nil {
			return "", &usageError{fmt.Errorf("--dir %s is not empty and not an earlier demo's: choose another directory", dir)}
		}
		for _, name := range []string{"archive", "checkpoints", demoEnv} {
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
	if strings.Contains(os.Args[0], "go-build") { // as the README has it: go run ./cmd/houndtrail demo
		self = "go run ./cmd/houndtrail"
	}
	return fmt.Sprintf(`
Next, try:

  duckdb -c "SELECT action, status, count(*) AS n
    FROM read_parquet('%[1]s/archive/audit/*/*/*.parquet', hive_partitioning = true)
    GROUP BY ALL ORDER BY n DESC LIMIT 10"

  env $(grep -v '^#' %[1]s/%[2]s) %[3]s status --offline

  env $(grep -v '^#' %[1]s/%[2]s) %[3]s history -o json

  env $(grep -v '^#' %[1]s/%[2]s) %[3]s ddl --dialect duckdb
`, dir, demoEnv, self)
}

// halfHour is how far the demo's clock jumps, and how far it is behind at first: less than the hour by which a signature may be off.
const halfHour = 30 * time.Minute
