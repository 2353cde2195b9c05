package manifests

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// The namespace enforces this level: the API server refuses a pod that fails here.
func TestPodsPassPodSecurityRestricted(t *testing.T) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	for name, template := range templates(t) {
		results := evaluator.EvaluatePod(restricted, &template.ObjectMeta, &template.Spec)
		if verdict := policy.AggregateCheckResults(results); !verdict.Allowed {
			t.Errorf("%s: %s", name, verdict.ForbiddenDetail())
		}
	}
}

// These are the rules that Pod Security does not check.
func TestPodsAskForNoMoreThanTheyNeed(t *testing.T) {
	for name, template := range templates(t) {
		spec, container := template.Spec, template.Spec.Containers[0]
		if len(spec.Containers) != 1 || len(spec.InitContainers) != 0 {
			t.Errorf("%s: %d containers and %d init containers, want one", name, len(spec.Containers), len(spec.InitContainers))
		}
		for what, ok := range map[string]bool{
			"the root file system is read-only":       isTrue(container.SecurityContext.ReadOnlyRootFilesystem),
			"the Kubernetes token is not mounted":     isFalse(spec.AutomountServiceAccountToken),
			"Services stay out of the environment":    isFalse(spec.EnableServiceLinks),
			"it runs as the image's user":             spec.SecurityContext.RunAsUser != nil && *spec.SecurityContext.RunAsUser == 65532,
			"it requests CPU":                         !container.Resources.Requests.Cpu().IsZero(),
			"it requests memory":                      !container.Resources.Requests.Memory().IsZero(),
			"its memory is limited":                   !container.Resources.Limits.Memory().IsZero(),
			"its CPU is not limited":                  container.Resources.Limits.Cpu().IsZero(),
			"it has half a minute to finish at least": spec.TerminationGracePeriodSeconds != nil && *spec.TerminationGracePeriodSeconds >= 30,
		} {
			if !ok {
				t.Errorf("%s: not so: %s", name, what)
			}
		}
	}
}

func isTrue(b *bool) bool  { return b != nil && *b }
func isFalse(b *bool) bool { return b != nil && !*b }

// Go's limit must leave room for memory that Go does not count. It must not be above the limit at which the kernel kills.
func TestGoMemoryLimitIsBelowTheKernels(t *testing.T) {
	for name, template := range templates(t) {
		container := template.Spec.Containers[0]
		at := slices.IndexFunc(container.Env, func(v corev1.EnvVar) bool { return v.Name == "GOMEMLIMIT" })
		if at < 0 {
			t.Errorf("%s: no GOMEMLIMIT", name)
			continue
		}
		goLimit, err := resource.ParseQuantity(strings.TrimSuffix(container.Env[at].Value, "B")) // Go says MiB, Kubernetes Mi
		if err != nil {
			t.Fatalf("%s: GOMEMLIMIT: %v", name, err)
		}
		if limit := container.Resources.Limits.Memory(); goLimit.Value() > limit.Value()*9/10 {
			t.Errorf("%s: GOMEMLIMIT is %s of %s: leave a tenth", name, &goLimit, limit)
		}
	}
}

// settings are the variables that the manifests set, with their values.
func settings(t *testing.T) map[string]string {
	t.Helper()
	all := read[corev1.ConfigMap](t, "configmap.yaml").Data
	for name, template := range templates(t) {
		container := template.Spec.Containers[0]
		if len(container.EnvFrom) != 1 || container.EnvFrom[0].ConfigMapRef == nil || container.EnvFrom[0].ConfigMapRef.Name != "houndtrail" {
			t.Errorf("%s: does not take its settings from the ConfigMap houndtrail", name)
		}
		for _, variable := range container.Env {
			if variable.ValueFrom != nil && variable.ValueFrom.SecretKeyRef != nil {
				t.Errorf("%s: %s is a secret in the environment: mount it", name, variable.Name)
			}
			all[variable.Name] = variable.Value
		}
	}
	return all
}

func TestSettingsAreKnown(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(deploy, "houndtrail.env.example"))
	if err != nil {
		t.Fatal(err)
	}
	known := make(map[string]bool)
	for _, match := range regexp.MustCompile(`(?m)^#?(HOUNDTRAIL_\w+)=`).FindAllStringSubmatch(string(text), -1) {
		known[match[1]] = true
	}
	for name := range settings(t) {
		if !strings.HasPrefix(name, "HOUNDTRAIL_") {
			continue
		}
		if !known[name] && !known[strings.TrimSuffix(name, "_FILE")] {
			t.Errorf("%s is not in houndtrail.env.example: the program would refuse to start", name)
		}
	}
}

// If a setting names a path, the pods mount it, and the Secret has the key.
func TestSecretFilesAreMounted(t *testing.T) {
	keys := read[corev1.Secret](t, "secret.yaml").StringData
	found := 0
	for variable, file := range settings(t) {
		if !strings.HasSuffix(variable, "_FILE") {
			continue
		}
		found++
		if _, ok := keys[path.Base(file)]; !ok {
			t.Errorf("%s names %s, but the Secret has no key %s", variable, file, path.Base(file))
		}
		for name, template := range templates(t) {
			if !mountsSecret(template.Spec, path.Dir(file)) {
				t.Errorf("%s: %s names %s, but no Secret is mounted read-only there", name, variable, file)
			}
		}
	}
	if found != len(keys) {
		t.Errorf("%d files are named for %d keys of the Secret", found, len(keys))
	}
}

// mountsSecret tells whether the pod sees the Secret houndtrail in the folder, read-only. Only the pod's own user may read it.
func mountsSecret(spec corev1.PodSpec, folder string) bool {
	for _, volume := range spec.Volumes {
		source := volume.Secret
		if source == nil || source.SecretName != "houndtrail" || source.DefaultMode == nil || *source.DefaultMode != 0o440 {
			continue
		}
		if spec.SecurityContext.FSGroup == nil || *spec.SecurityContext.FSGroup != 65532 {
			continue
		}
		if slices.ContainsFunc(spec.Containers[0].VolumeMounts, func(m corev1.VolumeMount) bool {
			return m.Name == volume.Name && m.MountPath == folder && m.ReadOnly
		}) {
			return true
		}
	}
	return false
}
