package watch_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
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

// TestPush: each tenant has a group of its own, so that two tenants do not replace each other's metrics. A gateway that refuses is an
// error, for the log.
func TestPush(t *testing.T) {
	t.Parallel()
	var asked, body string
	status := http.StatusOK
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		asked, body = r.Method+" "+r.URL.Path, string(text)
		w.WriteHeader(status)
	}))
	defer gateway.Close()
	places := watch.Places{Pushgateway: gateway.URL}
	if err := watch.Deliver(t.Context(), store(t), "acme", "dev", places); err != nil {
		t.Fatal(err)
	}
	if asked != "PUT /metrics/job/houndtrail/instance/acme" || !strings.Contains(body, "houndtrail_success_due_timestamp_seconds") {
		t.Errorf("it was asked %s with %d bytes", asked, len(body))
	}
	status = http.StatusForbidden
	if err := watch.Deliver(t.Context(), store(t), "acme", "dev", places); err == nil || !strings.Contains(err.Error(), "PUSHGATEWAY_URL") {
		t.Errorf("a gateway that refuses: %v", err)
	}
}
