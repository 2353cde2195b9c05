package chart

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// TestJobs: the ends 5 and 7 are no failures, in the words of the README, and a Job ends in any case.
func TestJobs(t *testing.T) {
	readme := contentOf(t, repository+"/README.md")
	for _, words := range []string{"| 5 | another runner holds the lease", "| 7 | a signal (SIGTERM, SIGINT, SIGHUP) stopped the run"} {
		if !strings.Contains(readme, words) {
			t.Errorf("the README does not say: %s", words)
		}
	}
	found := 0
	for name, rendered := range manifests(t) {
		for _, o := range objects(t, rendered) {
			switch o.kind {
			case "CronJob":
				c := decode[batchv1.CronJob](t, o).Spec
				// The controller looks every ten seconds. If the deadline is shorter, it never starts a run.
				if c.ConcurrencyPolicy != batchv1.ForbidConcurrent || *c.StartingDeadlineSeconds < 10 || *c.TimeZone == "" {
					t.Errorf("%s: %s", name, o.text)
				}
				if *c.JobTemplate.Spec.BackoffLimit != 0 {
					t.Errorf("%s: the next run is the retry", name)
				}
				checkJob(t, name, c.JobTemplate.Spec)
			case "Job":
				checkJob(t, name, decode[batchv1.Job](t, o).Spec)
			default:
				continue
			}
			found++
		}
	}
	if found < 8 {
		t.Errorf("only %d Jobs and CronJobs", found)
	}
}

// TestDeployments: there is one writer, and the probes ask for what the program serves. Liveness must not depend on BloodHound: a restart
// would begin a slow window anew, and the next restart would be due again.
func TestDeployments(t *testing.T) {
	found := 0
	for name, rendered := range manifests(t) {
		for _, o := range objects(t, rendered) {
			if o.kind != "Deployment" {
				continue
			}
			found++
			spec := decode[appsv1.Deployment](t, o).Spec
			p := pod{of: o.name, PodTemplateSpec: spec.Template}
			container := spec.Template.Spec.Containers[0]
			if container.Args[0] != "watch" && (spec.Strategy.Type != appsv1.RecreateDeploymentStrategyType || *spec.Replicas != 1) {
				t.Errorf("%s: %s: the new pod would start while the old one holds the lease", name, o.name)
			}
			for key, value := range spec.Selector.MatchLabels {
				if spec.Template.Labels[key] != value {
					t.Errorf("%s: %s: the selector asks for %s=%s, which the pod does not have", name, o.name, key, value)
				}
			}
			if listen := p.environ(nil)["HOUNDTRAIL_LISTEN"]; listen != fmt.Sprintf(":%d", container.Ports[0].ContainerPort) {
				t.Errorf("%s: %s: HOUNDTRAIL_LISTEN is %q: by default the program serves its own pod alone", name, o.name, listen)
			}
			if container.LivenessProbe.HTTPGet.Path != "/livez" || container.ReadinessProbe.HTTPGet.Path != "/readyz" {
				t.Errorf("%s: %s: want the probes /livez and /readyz", name, o.name)
			}
		}
	}
	if found < 4 {
		t.Errorf("only %d Deployments", found)
	}
}

// TestPlainNamespace: the namespace for those who do not use Helm enforces the standard, and the Secret there has the keys that the pods read.
func TestPlainNamespace(t *testing.T) {
	for _, o := range objects(t, manifests(t)["plain"]) {
		switch o.kind {
		case "Namespace":
			if level := decode[corev1.Namespace](t, o).Labels["pod-security.kubernetes.io/enforce"]; level != "restricted" || o.name != namespace {
				t.Errorf("the namespace %s enforces %q", o.name, level)
			}
		case "Secret":
			keys := decode[corev1.Secret](t, o).StringData
			if len(keys) != 2 || keys["token-id"] == "" || keys["token-key"] == "" {
				t.Errorf("the Secret has the keys %v", keys)
			}
		}
	}
}

func checkJob(t *testing.T, name string, spec batchv1.JobSpec) {
	t.Helper()
	if spec.ActiveDeadlineSeconds == nil || spec.TTLSecondsAfterFinished == nil || spec.BackoffLimit == nil {
		t.Errorf("%s: a Job has no activeDeadlineSeconds, ttlSecondsAfterFinished or backoffLimit", name)
	}
	if spec.Template.Spec.RestartPolicy != corev1.RestartPolicyNever {
		t.Errorf("%s: podFailurePolicy needs restartPolicy Never", name)
	}
	rules := spec.PodFailurePolicy.Rules
	for _, r := range rules {
		if r.Action != batchv1.PodFailurePolicyActionIgnore {
			t.Errorf("%s: %s", name, r.Action)
		}
	}
	if len(rules) != 2 || rules[0].OnPodConditions[0].Type != corev1.DisruptionTarget || !slices.Equal(rules[1].OnExitCodes.Values, []int32{5, 7}) {
		t.Errorf("%s: %+v", name, rules)
	}
}
