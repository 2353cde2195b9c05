package chart

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

const (
	repository = "../../.."
	chartDir   = repository + "/deploy/helm/houndtrail"
	namespace  = "houndtrail"
)

var (
	helmPath = flag.String("helm", "", "path of Helm; without it, the tests that render are skipped")
	update   = flag.Bool("update", false, "write the golden files, the manifests and the chart's copies anew")
)

// helm runs one of Helm's commands for the release houndtrail, and returns what it prints, or what it complains about.
func helm(t *testing.T, command string, args ...string) (said, complaint string) {
	t.Helper()
	if *helmPath == "" {
		t.Skip("no -helm: this test renders the chart")
	}
	home := t.TempDir()
	cmd := exec.CommandContext(t.Context(), *helmPath, append([]string{command, "houndtrail", chartDir, "--namespace", namespace}, args...)...)
	cmd.Env = append(os.Environ(), "HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", stderr.String() + err.Error()
	}
	return stdout.String(), ""
}

// render renders the chart with values that it takes.
func render(t *testing.T, args ...string) string {
	t.Helper()
	rendered, complaint := helm(t, "template", args...)
	if complaint != "" {
		t.Fatal(complaint)
	}
	return rendered
}

// golden compares text with a file. With -update, it writes the file.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(contentOf(t, file), got); diff != "" {
		t.Errorf("%s is stale; look at the difference, and run this test with -update (-file +now):\n%s", file, diff)
	}
}

func contentOf(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// An object is one document of what Helm renders.
type object struct {
	kind, name string
	text       string
}

// objects splits what Helm has rendered.
func objects(t *testing.T, rendered string) []object {
	t.Helper()
	var all []object
	for _, text := range strings.Split("\n"+rendered, "\n---\n") {
		var head struct {
			Kind     string
			Metadata struct{ Name string }
		}
		if err := yaml.Unmarshal([]byte(text), &head); err != nil {
			t.Fatalf("%v in:\n%s", err, text)
		}
		if head.Kind != "" {
			all = append(all, object{head.Kind, head.Metadata.Name, text})
		}
	}
	return all
}

// decode reads an object. If it has a field that Kubernetes does not know, the test fails.
func decode[T any](t *testing.T, o object) T {
	t.Helper()
	var typed T
	if err := yaml.UnmarshalStrict([]byte(o.text), &typed); err != nil {
		t.Fatalf("%s %s: %v", o.kind, o.name, err)
	}
	return typed
}

// A pod is one of the chart's pods, with the kind and name of the object that makes it.
type pod struct {
	of string
	corev1.PodTemplateSpec
	annotations map[string]string // of the object
}

// pods returns all pods of what Helm has rendered.
func pods(t *testing.T, rendered string) []pod {
	t.Helper()
	var all []pod
	for _, o := range objects(t, rendered) {
		p := pod{of: o.kind + " " + o.name}
		switch o.kind {
		case "CronJob":
			c := decode[batchv1.CronJob](t, o)
			p.PodTemplateSpec, p.annotations = c.Spec.JobTemplate.Spec.Template, c.Annotations
		case "Job":
			j := decode[batchv1.Job](t, o)
			p.PodTemplateSpec, p.annotations = j.Spec.Template, j.Annotations
		case "Deployment":
			d := decode[appsv1.Deployment](t, o)
			p.PodTemplateSpec, p.annotations = d.Spec.Template, d.Annotations
		case "Pod":
			single := decode[corev1.Pod](t, o)
			p.PodTemplateSpec = corev1.PodTemplateSpec{ObjectMeta: single.ObjectMeta, Spec: single.Spec}
			p.annotations = single.Annotations
		default:
			continue
		}
		all = append(all, p)
	}
	return all
}

// configMaps returns the data of all ConfigMaps, by name.
func configMaps(t *testing.T, rendered string) map[string]map[string]string {
	t.Helper()
	all := map[string]map[string]string{}
	for _, o := range objects(t, rendered) {
		if o.kind == "ConfigMap" {
			all[o.name] = decode[corev1.ConfigMap](t, o).Data
		}
	}
	return all
}

// environ returns the variables of a pod: those of its ConfigMaps, and its own.
func (p pod) environ(maps map[string]map[string]string) map[string]string {
	all := map[string]string{}
	for _, from := range p.Spec.Containers[0].EnvFrom {
		if from.ConfigMapRef != nil {
			for name, value := range maps[from.ConfigMapRef.Name] {
				all[name] = value
			}
		}
	}
	for _, v := range p.Spec.Containers[0].Env {
		all[v.Name] = v.Value
	}
	return all
}
