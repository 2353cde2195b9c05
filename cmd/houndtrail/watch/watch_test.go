package watch_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/daemon"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/watch"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/watch/watchtest"
	"github.com/houndtrail/houndtrail/sink/sinktest/servers"
)

// TestLikeTheDaemon: a metric of watch that the daemon has too is of the same type, and has the same labels. So a rule or a dashboard
// works on both.
func TestLikeTheDaemon(t *testing.T) {
	t.Parallel()
	m := daemon.NewMetrics("acme", "dev")
	o := m.Stream(stream.Archive)
	o.CaughtUp(time.Unix(1, 0), 0)
	o.Guarded(time.Unix(1, 0), time.Unix(2, 0))
	m.Compactions().Found(stream.Note{}, time.Unix(3, 0))
	m.Verifications(stream.Archive).Found(stream.Note{}, time.Unix(3, 0))
	theirs := families(t, m.Registry)
	own := []string{}
	for name, ours := range families(t, watchtest.Exercised()) {
		switch their, there := theirs[name]; {
		case !there:
			own = append(own, name)
		case ours != their:
			t.Errorf("%s is a %s, and the daemon's is a %s", name, ours, their)
		}
	}
	if len(own) != 8 {
		t.Errorf("%d metrics are not the daemon's: %v", len(own), own)
	}
}

// families are the types and the labels of all metrics.
func families(t *testing.T, g prometheus.Gatherer) map[string]string {
	t.Helper()
	all, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]string{}
	for _, f := range all {
		form := f.GetType().String()
		for _, l := range f.GetMetric()[0].GetLabel() {
			form += " " + l.GetName()
		}
		by[f.GetName()] = form
	}
	return by
}

// TestEveryMetricHasAValue: the table of docs/watching.md has every metric.
func TestEveryMetricHasAValue(t *testing.T) {
	t.Parallel()
	registry := watchtest.Exercised()
	exported := families(t, registry)
	descriptions := make(chan *prometheus.Desc)
	go func() { defer close(descriptions); registry.Describe(descriptions) }()
	for d := range descriptions {
		name := regexp.MustCompile(`fqName: "(\w+)"`).FindStringSubmatch(d.String())[1]
		if exported[name] == "" {
			t.Errorf("%s has no value", name)
		}
	}
}

// store has a journal with one entry.
func store(t *testing.T) *checkpointtest.Faulty {
	t.Helper()
	b := checkpointtest.NewFaulty(&checkpointtest.Memory{})
	j := checkpoint.Open(b, checkpoint.Identity{Tenant: "acme", Stream: stream.Archive})
	now := time.Now().UTC()
	_, err := j.Commit(t.Context(), checkpoint.Stored{}, checkpoint.Checkpoint{
		Kind: checkpoint.KindExport, Cursor: now.Add(-2 * time.Minute), CommittedAt: now, Records: checkpoint.Counts{Fresh: 7},
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestTextfile: a job replaces the file in one step, and leaves no other file beside it. Also after a failure the series are there.
func TestTextfile(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := filepath.Join(folder, "acme.prom")
	b := store(t)
	for _, failure := range []error{nil, errors.New("down")} {
		b.On(func(context.Context, checkpointtest.Op, string) checkpointtest.Fault {
			return checkpointtest.Fault{Before: failure}
		})
		if err := watch.Deliver(t.Context(), b, "acme", "dev", watch.Places{Textfile: path}); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		readable := "houndtrail_watch_readable 1\n"
		if failure != nil {
			readable = "houndtrail_watch_readable 0\n"
		} else if !strings.Contains(string(text), `houndtrail_records_total{kind="fresh",stream="archive",tenant="acme"} 7`) {
			t.Errorf("the file is\n%s", text)
		}
		if !strings.Contains(string(text), readable) || strings.Contains(string(text), "go_") {
			t.Errorf("the file is\n%s", text)
		}
	}
	if names, err := os.ReadDir(folder); err != nil || len(names) != 1 {
		t.Errorf("the folder has %v, %v", names, err)
	}
	err := watch.Deliver(t.Context(), b, "acme", "dev", watch.Places{Textfile: filepath.Join(folder, "none", "acme.prom")})
	if err == nil || !strings.Contains(err.Error(), "METRICS_TEXTFILE") {
		t.Errorf("a folder that is not there: %v", err)
	}
}

// TestPush: Prometheus' own Pushgateway takes the metrics. Each tenant has a group of its own, so that two tenants do not replace each
// other's metrics, and a push replaces the earlier one of its tenant. A gateway that refuses is an error, for the log.
func TestPush(t *testing.T) {
	t.Parallel()
	gateway := servers.Pushgateway(t)
	deliver := func(tenant, at string, failure error) error {
		b := store(t)
		b.On(func(context.Context, checkpointtest.Op, string) checkpointtest.Fault {
			return checkpointtest.Fault{Before: failure}
		})
		return watch.Deliver(t.Context(), b, tenant, "dev", watch.Places{Pushgateway: at})
	}
	pushed := func(tenant, metric string) bool {
		return regexp.MustCompile(`(?m)^` + metric + `\{.*instance="` + tenant + `",job="houndtrail".*\} [1-9]`).MatchString(scrape(t, gateway))
	}
	for _, tenant := range []string{"acme", "globex"} {
		if err := deliver(tenant, gateway, nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, metric := range []string{"push_time_seconds", "houndtrail_success_due_timestamp_seconds", "houndtrail_records_total"} {
		if !pushed("acme", metric) || !pushed("globex", metric) {
			t.Errorf("%s is missing:\n%s", metric, scrape(t, gateway))
		}
	}
	if err := deliver("acme", gateway, errors.New("down")); err != nil {
		t.Fatal(err)
	}
	if pushed("acme", "houndtrail_records_total") || !pushed("globex", "houndtrail_records_total") || !pushed("acme", "push_time_seconds") {
		t.Errorf("after acme's journal could not be read, the gateway has\n%s", scrape(t, gateway))
	}
	if err := deliver("acme", gateway+"/elsewhere", nil); err == nil || !strings.Contains(err.Error(), "PUSHGATEWAY_URL") {
		t.Errorf("a gateway that refuses: %v", err)
	}
}

// scrape is the text that Prometheus would read from the gateway.
func scrape(t *testing.T, gateway string) string {
	t.Helper()
	ask, err := http.NewRequestWithContext(t.Context(), http.MethodGet, gateway+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(ask)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s, %v", answer.Status, err)
	}
	return string(text)
}
