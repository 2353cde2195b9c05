package manifests

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

const deploy = "../../deploy"

// read decodes a manifest. If the manifest has a field that Kubernetes does not know, the test fails.
func read[T any](t *testing.T, name string) T {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(deploy, "kubernetes", name))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(text, []byte("\n---")) {
		t.Fatalf("%s has more than one document; the test would see only the first", name)
	}
	var object T
	if err := yaml.UnmarshalStrict(text, &object); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return object
}

// templates returns the pods of both ways to run, by the name of their file.
func templates(t *testing.T) map[string]corev1.PodTemplateSpec {
	t.Helper()
	return map[string]corev1.PodTemplateSpec{
		"cronjob.yaml":    read[batchv1.CronJob](t, "cronjob.yaml").Spec.JobTemplate.Spec.Template,
		"deployment.yaml": read[appsv1.Deployment](t, "deployment.yaml").Spec.Template,
	}
}

func TestCronJobIsTheOnlyWriter(t *testing.T) {
	spec := read[batchv1.CronJob](t, "cronjob.yaml").Spec
	job := spec.JobTemplate.Spec
	if spec.ConcurrencyPolicy != batchv1.ForbidConcurrent {
		t.Errorf("concurrencyPolicy is %q: two runs would fight over the lease", spec.ConcurrencyPolicy)
	}
	// The controller looks every ten seconds. If the deadline is shorter, it never starts a run.
	if d := spec.StartingDeadlineSeconds; d == nil || *d < 10 {
		t.Errorf("startingDeadlineSeconds is %v, want at least 10: a CronJob without one stops after 100 missed runs", d)
	}
	if job.ActiveDeadlineSeconds == nil {
		t.Error("no activeDeadlineSeconds: with Forbid, one hung pod would stop the export for good")
	}
	if job.BackoffLimit == nil || *job.BackoffLimit > 1 {
		t.Errorf("backoffLimit is %v: the next run is the retry", job.BackoffLimit)
	}
	if p := job.Template.Spec.RestartPolicy; p != corev1.RestartPolicyNever {
		t.Errorf("restartPolicy is %q: a failed run would not show as a failed job", p)
	}
	if args := strings.Join(job.Template.Spec.Containers[0].Args, " "); args != "run --once" {
		t.Errorf("args are %q", args)
	}
}

func TestDeploymentIsTheOnlyWriter(t *testing.T) {
	spec := read[appsv1.Deployment](t, "deployment.yaml").Spec
	container := spec.Template.Spec.Containers[0]
	if spec.Strategy.Type != appsv1.RecreateDeploymentStrategyType {
		t.Errorf("strategy is %q: the new pod would start while the old one holds the lease", spec.Strategy.Type)
	}
	if spec.Replicas == nil || *spec.Replicas != 1 {
		t.Errorf("replicas is %v, want 1", spec.Replicas)
	}
	for key, value := range spec.Selector.MatchLabels {
		if spec.Template.Labels[key] != value {
			t.Errorf("the selector asks for %s=%s, which the pod does not have", key, value)
		}
	}
	if args := strings.Join(container.Args, " "); args != "run" {
		t.Errorf("args are %q", args)
	}
	port := container.Ports[0]
	listens := slices.ContainsFunc(container.Env, func(v corev1.EnvVar) bool {
		return v.Name == "HOUNDTRAIL_LISTEN" && v.Value == fmt.Sprintf(":%d", port.ContainerPort)
	})
	if !listens {
		t.Errorf("no HOUNDTRAIL_LISTEN=:%d: by default the program serves its own pod alone", port.ContainerPort)
	}
	// Liveness must not depend on BloodHound: a restart would begin a slow window anew, and the next restart would be due again.
	for path, probe := range map[string]*corev1.Probe{"/livez": container.LivenessProbe, "/readyz": container.ReadinessProbe} {
		if probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Path != path || probe.HTTPGet.Port.StrVal != port.Name {
			t.Errorf("the probe of %s on port %q is missing", path, port.Name)
		}
	}
}

func TestBothWaysRunTheSameImage(t *testing.T) {
	all := templates(t)
	image := all["cronjob.yaml"].Spec.Containers[0].Image
	if other := all["deployment.yaml"].Spec.Containers[0].Image; image != other {
		t.Errorf("the CronJob runs %s, the Deployment %s", image, other)
	}
	if _, tag, _ := strings.Cut(image, ":"); tag == "" || tag == "latest" {
		t.Errorf("%s floats: pin a version", image)
	}
}

func TestNamespaceEnforcesRestricted(t *testing.T) {
	namespace := read[corev1.Namespace](t, "namespace.yaml")
	if level := namespace.Labels["pod-security.kubernetes.io/enforce"]; level != "restricted" {
		t.Errorf("the namespace enforces %q", level)
	}
}
