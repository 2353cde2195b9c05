package chart

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// cases returns the names of the sets of values.
func cases(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/values/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no values: %v", err)
	}
	var names []string
	for _, file := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(file), ".yaml"))
	}
	return names
}

func goldenOf(name string) string { return "testdata/golden/" + name + ".yaml" }

func TestGolden(t *testing.T) {
	for _, name := range cases(t) {
		t.Run(name, func(t *testing.T) {
			args := []string{"--values", "testdata/values/" + name + ".yaml"}
			if name == "openshift" {
				args = append(args, "--api-versions", "security.openshift.io/v1")
			}
			golden(t, goldenOf(name), render(t, args...))
		})
	}
}

// TestNotes: what Helm prints after an installation.
func TestNotes(t *testing.T) {
	for _, name := range cases(t) {
		said, complaint := helm(t, "install", "--dry-run=client", "--values", "testdata/values/"+name+".yaml")
		_, notes, ok := strings.Cut(said, "\nNOTES:\n")
		if !ok {
			t.Fatalf("%s: no notes: %s", name, complaint)
		}
		golden(t, "testdata/notes/"+name+".txt", notes)
	}
}

const plain = repository + "/deploy/kubernetes/"

// TestPlainManifests compares the manifests for those who do not use Helm with what the chart renders. They differ only in the labels and
// annotations that Helm needs. namespace.yaml and secret.yaml are written by hand: the chart makes neither.
func TestPlainManifests(t *testing.T) {
	files := map[string]string{}
	for _, kind := range []string{"CronJob", "Deployment"} {
		rendered := render(t, "--values", "testdata/values/cronjob.yaml", "--set", "kind="+kind, "--set", "firstRun.enabled=false",
			"--set", "doctor.enabled=false", "--set", "networkPolicy.enabled=true")
		for _, o := range objects(t, rendered) {
			if o.kind != "ConfigMap" || kind == "CronJob" {
				files[strings.ToLower(o.kind)+".yaml"] = withoutHelm(o.text)
			}
		}
	}
	want := []string{"configmap.yaml", "cronjob.yaml", "deployment.yaml", "networkpolicy.yaml", "serviceaccount.yaml"}
	if len(files) != len(want) {
		t.Errorf("the chart renders %d manifests, want %v", len(files), want)
	}
	for _, file := range want {
		golden(t, plain+file, files[file])
	}
}

// withoutHelm removes what makes an object a part of Helm's release.
func withoutHelm(text string) string {
	text = regexp.MustCompile(`(?m)^ +(helm\.sh/chart|app\.kubernetes\.io/managed-by|app\.kubernetes\.io/version|checksum/settings): .*\n`).ReplaceAllString(text, "")
	text = regexp.MustCompile(`(?m)^# Source: .*\n`).ReplaceAllString(text, "")
	return strings.TrimSpace(text) + "\n"
}

// TestFiles compares the chart's copies with their originals: a chart has no file outside of its folder.
func TestFiles(t *testing.T) {
	golden(t, chartDir+"/files/alerts.yaml", contentOf(t, repository+"/deploy/prometheus/alerts.yaml"))
	const dashboard = repository + "/deploy/grafana/houndtrail.json"
	if _, err := os.Stat(dashboard); err == nil {
		golden(t, chartDir+"/files/houndtrail.json", contentOf(t, dashboard))
	}
}
