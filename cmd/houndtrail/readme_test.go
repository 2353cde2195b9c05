package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/anchor"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/daemon"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/doctor"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/watch/watchtest"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/sink/parquet"
	"github.com/houndtrail/houndtrail/sink/webhook"
	"github.com/houndtrail/houndtrail/sink/webhook/format"
)

var update = flag.Bool("update", false, "rewrite the generated parts of the documents")

// repository is the root of the tree. In the page guarantees, each sentence is in a row with its tests.
const (
	repository = "../.."
	guarantees = repository + "/docs/guarantees.md"
)

// The lists of commands, metrics, checks, columns and formats, and the bodies of the formats, are generated:
// go test ./cmd/houndtrail -run Readme -update.
func TestReadmeIsUpToDate(t *testing.T) {
	type part struct{ page, name, text string }
	parts := []part{
		{"README.md", "commands", commandTable()},
		{"docs/operating.md", "metrics", metricTable(t, exercised().Registry)},
		{"docs/watching.md", "metrics", metricTable(t, watchtest.Exercised())},
		{"docs/operating.md", "checks", checkTable()},
		{"docs/s3-and-athena.md", "columns", columnTable()},
		{"docs/siem.md", "formats", formatTable(t)},
	}
	for _, name := range format.Names()[1:] {
		parts = append(parts, part{"docs/siem.md", name, formatExample(t, name)})
	}
	for _, block := range parts {
		path := filepath.Join(repository, block.page)
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		place := regexp.MustCompile(`(?s)(<!-- ` + block.name + `:begin -->\n).*?(<!-- ` + block.name + `:end -->)`)
		if !place.Match(raw) {
			t.Fatalf("%s has no block %s", block.page, block.name)
		}
		want := place.ReplaceAllString(string(raw), "${1}\n"+strings.ReplaceAll(block.text, "$", "$$")+"\n${2}")
		if *update {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if diff := cmp.Diff(want, string(raw)); diff != "" {
			t.Errorf("%s is stale: go test ./cmd/houndtrail -run Readme -update\n%s", block.page, diff)
		}
	}
}

// TestGuaranteeNamesItsTests: each sentence of the guarantee names tests that exist.
func TestGuaranteeNamesItsTests(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(guarantees)
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile(`(?s)<!-- guarantee:begin -->\n(.*?)<!-- guarantee:end -->`).FindSubmatch(raw)
	if block == nil {
		t.Fatal(guarantees + " has no guarantee")
	}
	row := regexp.MustCompile(`^\| ([^|]+\.) \| ([^|]+) \|$`)
	sentences := 0
	for line := range strings.Lines(string(block[1])) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "| **") || strings.HasPrefix(line, "| ---") {
			continue
		}
		cells := row.FindStringSubmatch(line)
		if cells == nil || strings.Contains(cells[1], ". ") {
			t.Errorf("no sentence with its tests: %s", line)
			continue
		}
		sentences++
		for name := range strings.FieldsSeq(cells[2]) {
			if err := findTest(name); err != nil {
				t.Errorf("%s: %v", cells[1], err)
			}
		}
	}
	if sentences == 0 {
		t.Error("the guarantee is empty")
	}
}

// findTest looks for a test in the file that a link of the guarantee leads to.
func findTest(link string) error {
	parts := regexp.MustCompile("^\\[`(\\w+)`\\]\\((\\S+)\\)$").FindStringSubmatch(link)
	if parts == nil {
		return fmt.Errorf("%s is no link to a test", link)
	}
	name, path := parts[1], parts[2]
	body, err := os.ReadFile(filepath.Join(filepath.Dir(guarantees), path))
	switch {
	case err != nil:
		return err
	case path == "../cmd/houndtrail/testdata/"+name+".txtar":
		return nil
	case !strings.HasSuffix(path, "_test.go") || !strings.Contains(string(body), "\nfunc "+name+"(t *testing.T)"):
		return fmt.Errorf("there is no test %s in %s", name, path)
	}
	return nil
}

func commandTable() string {
	p := &program{stdout: io.Discard, stderr: io.Discard}
	root := p.root()
	root.InitDefaultCompletionCmd()
	var b strings.Builder
	b.WriteString("| command | |\n| --- | --- |\n")
	for _, cmd := range root.Commands() {
		if cmd.Name() != "help" {
			fmt.Fprintf(&b, "| `%s` | %s |\n", cmd.CommandPath(), cmd.Short)
		}
	}
	return b.String()
}

// checkTable lists the checks of doctor.
func checkTable() string {
	var b strings.Builder
	b.WriteString("| group | check | is ok if, or tells |\n| --- | --- | --- |\n")
	for _, d := range doctor.Descriptions() {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", d.Group, d.Check, d.About)
	}
	return b.String()
}

// columnTable lists the columns of the Parquet files.
func columnTable() string {
	types := map[parquet.Type]string{
		parquet.Int64: "INT64", parquet.Timestamp: "TIMESTAMP (ms, UTC)", parquet.String: "STRING",
	}
	var b strings.Builder
	b.WriteString("| column | type |\n| --- | --- |\n")
	for _, c := range parquet.Columns() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", c.Name, types[c.Type])
	}
	return b.String()
}

// metricTable lists every metric that a command exports under its own name.
func metricTable(t *testing.T, registry prometheus.Gatherer) string {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("| metric | labels | |\n| --- | --- | --- |\n")
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "houndtrail_") {
			continue
		}
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, "`"+l.GetName()+"`")
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.GetName(), strings.Join(labels, " "), f.GetHelp())
	}
	return b.String()
}

// TestEveryMetricIsExercised: the table of docs/operating.md has every metric.
func TestEveryMetricIsExercised(t *testing.T) {
	t.Parallel()
	m := exercised()
	families, err := m.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	exported := map[string]bool{}
	for _, f := range families {
		exported[f.GetName()] = true
	}
	descriptions := make(chan *prometheus.Desc)
	go func() { defer close(descriptions); m.Registry.Describe(descriptions) }()
	for d := range descriptions {
		name := regexp.MustCompile(`fqName: "(\w+)"`).FindStringSubmatch(d.String())[1]
		if strings.HasPrefix(name, "houndtrail_") && !exported[name] {
			t.Errorf("%s has no value", name)
		}
	}
}

// exercised has a value for every metric: a metric with labels is not exported without one.
func exercised() *daemon.Metrics {
	m := daemon.NewMetrics("acme", version)
	o := m.Stream(stream.Archive)
	o.Guarded(time.Unix(1, 0), time.Unix(2, 0))
	o.Clocks(0)
	o.Anchored(anchor.Report{})
	o.Committed(exporter.Commit{Entry: checkpoint.Checkpoint{
		Objects: make([]checkpoint.Object, 1), ServerCount: &checkpoint.ServerCount{Status: checkpoint.CountExact},
	}})
	m.Compactions().Found(stream.Note{}, time.Unix(3, 0))
	m.Verifications(stream.Archive).Found(stream.Note{}, time.Unix(3, 0))
	m.Request("200", 0)
	m.Retry("timeout")
	m.Posted(webhook.Attempt{Status: 200})
	m.Reposted(webhook.Retry{Reason: "503"})
	return m
}
