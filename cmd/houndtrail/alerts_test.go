package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/watch/watchtest"
)

// TestAlerts: each rule names existing metrics and states, and has a section in docs/alerts.md and cases in the file of tests.
// promtool runs those cases in CI.
func TestAlerts(t *testing.T) {
	t.Parallel()
	metrics := metricNames(t)
	var states []string
	for _, s := range stream.AllStates() {
		states = append(states, strings.ReplaceAll(s, " ", "_"))
	}
	rules := contentOf(t, "deploy", "prometheus", "alerts.yaml")
	for _, name := range regexp.MustCompile(`houndtrail_[a-z_]+`).FindAllString(rules, -1) {
		if !metrics[name] {
			t.Errorf("a rule asks for %s, which is no metric", name)
		}
	}
	for _, named := range regexp.MustCompile(`state=~?"([^"]+)"`).FindAllStringSubmatch(rules, -1) {
		for state := range strings.SplitSeq(named[1], "|") {
			if !slices.Contains(states, state) {
				t.Errorf("a rule asks for the state %s, which is none", state)
			}
		}
	}
	runbooks := headings(t, filepath.Join(repository, "docs", "alerts.md"))
	cases := contentOf(t, "deploy", "prometheus", "alerts_test.yaml")
	alerts := regexp.MustCompile(`- alert: (\w+)`).FindAllStringSubmatch(rules, -1)
	for _, a := range alerts {
		anchor := strings.ToLower(a[1])
		if !runbooks[anchor] || !strings.Contains(rules, "runbook: docs/alerts.md#"+anchor+"\n") {
			t.Errorf("%s has no section in docs/alerts.md, or does not name it", a[1])
		}
		fires := strings.Contains(cases, "alertname: "+a[1]+"\n        exp_alerts:\n          - exp_labels")
		if !fires || !strings.Contains(cases, "alertname: "+a[1]+", exp_alerts: []") {
			t.Errorf("no test shows that %s fires, or that it is silent", a[1])
		}
	}
	if len(alerts) < 10 || len(runbooks) != len(alerts)+1 {
		t.Errorf("%d alerts, and %d headings", len(alerts), len(runbooks))
	}
}

// TestEveryStateAlerts: each state in which records may be missing has its series, and an alert. If another metric fires it, the list
// here names that metric.
func TestEveryStateAlerts(t *testing.T) {
	t.Parallel()
	rules := contentOf(t, "deploy", "prometheus", "alerts.yaml")
	other := map[string]string{
		stream.StateStale:      "houndtrail_success_due_timestamp_seconds",
		stream.StateVerified:   "houndtrail_verification_due_timestamp_seconds",
		stream.StateCompaction: "houndtrail_compact_due_timestamp_seconds",
	}
	for _, s := range stream.IncurableStates() {
		other[s] = "houndtrail_stream_stopped"
	}
	var named []string
	for _, m := range regexp.MustCompile(`houndtrail_stream_state\{state=~?"([^"]+)"`).FindAllStringSubmatch(rules, -1) {
		named = append(named, strings.Split(m[1], "|")...)
	}
	for _, state := range stream.AllStates() {
		label := strings.ReplaceAll(state, " ", "_")
		well := slices.Contains([]string{stream.StateOK, stream.StateWaiting, stream.StateNotStarted}, state)
		byOther := other[state] != "" && strings.Contains(rules, other[state])
		if !well && !byOther && !slices.Contains(named, label) {
			t.Errorf("no alert fires in the state %s", state)
		}
		for which, registry := range map[string]prometheus.Gatherer{"watch": watchtest.Exercised(), "the daemon": exercised().Registry} {
			cycle := slices.Contains(stream.States(), state)
			if !hasState(t, registry, label) && (cycle || which == "watch") {
				t.Errorf("%s has no series of the state %s", which, state)
			}
		}
	}
}

// hasState tells whether a series of houndtrail_stream_state is of a state.
func hasState(t *testing.T, from prometheus.Gatherer, state string) bool {
	t.Helper()
	families, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if f.GetName() == "houndtrail_stream_state" && l.GetName() == "state" && l.GetValue() == state {
					return true
				}
			}
		}
	}
	return false
}

// TestDashboard: the dashboard asks for existing metrics only, and shows every metric of ours. CI runs each query.
func TestDashboard(t *testing.T) {
	t.Parallel()
	metrics := metricNames(t)
	shown := map[string]bool{}
	for _, name := range regexp.MustCompile(`houndtrail_[a-z_]+`).FindAllString(contentOf(t, "deploy", "grafana", "houndtrail.json"), -1) {
		name = strings.TrimSuffix(name, "_bucket")
		shown[name] = true
		if !metrics[name] {
			t.Errorf("a panel asks for %s, which is no metric", name)
		}
	}
	for name := range metrics {
		if strings.HasPrefix(name, "houndtrail_") && !shown[name] {
			t.Errorf("no panel shows %s", name)
		}
	}
}

// metricNames are the names of the daemon's metrics.
func metricNames(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, registry := range []prometheus.Gatherer{exercised().Registry, watchtest.Exercised()} {
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			names[f.GetName()] = true
		}
	}
	return names
}

func contentOf(t *testing.T, path ...string) string {
	t.Helper()
	body, err := os.ReadFile(filepath.Join(append([]string{repository}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
