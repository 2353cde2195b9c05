package chart

import (
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// manifests returns what the chart renders for each set of values, and the manifests for those who do not use Helm.
func manifests(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{"plain": ""}
	for _, name := range cases(t) {
		all[name] = contentOf(t, goldenOf(name))
	}
	files, err := filepath.Glob(plain + "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		all["plain"] += "\n---\n" + contentOf(t, file)
	}
	return all
}

// everyPod runs a test for each pod of all manifests.
func everyPod(t *testing.T, test func(t *testing.T, p pod, rendered string)) {
	t.Helper()
	found := 0
	for name, rendered := range manifests(t) {
		for _, p := range pods(t, rendered) {
			found++
			t.Run(name+"/"+p.of, func(t *testing.T) { test(t, p, rendered) })
		}
	}
	if found < 14 {
		t.Errorf("only %d pods", found)
	}
}

// TestPodsPassPodSecurityRestricted: a namespace that enforces this level takes every pod, also without a fixed user.
func TestPodsPassPodSecurityRestricted(t *testing.T) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	everyPod(t, func(t *testing.T, p pod, rendered string) {
		verdict := policy.AggregateCheckResults(evaluator.EvaluatePod(restricted, &p.ObjectMeta, &p.Spec))
		if !verdict.Allowed {
			t.Error(verdict.ForbiddenDetail())
		}
		fixed := p.Spec.SecurityContext.RunAsUser != nil || p.Spec.SecurityContext.RunAsGroup != nil || p.Spec.SecurityContext.FSGroup != nil
		if onOpenShift := rendered == contentOf(t, goldenOf("openshift")); fixed == onOpenShift {
			t.Errorf("OpenShift: %v, and the pod has a user or a group of its own: %v", onOpenShift, fixed)
		}
	})
}

func TestPodsAskForNoMoreThanTheyNeed(t *testing.T) {
	everyPod(t, func(t *testing.T, p pod, _ string) {
		container := p.Spec.Containers[0]
		if len(p.Spec.Containers) != 1 || len(p.Spec.InitContainers) != 0 || container.Name != "houndtrail" {
			t.Error("want one container, houndtrail, which podFailurePolicy names")
		}
		if a := p.Spec.AutomountServiceAccountToken; a == nil || *a {
			t.Error("the Kubernetes token is mounted")
		}
		if l := p.Spec.EnableServiceLinks; l == nil || *l {
			t.Error("Services come into the environment")
		}
		if r := container.SecurityContext.ReadOnlyRootFilesystem; r == nil || !*r {
			t.Error("the root file system can be written")
		}
		if !container.Resources.Limits.Cpu().IsZero() || container.Resources.Limits.Memory().IsZero() {
			t.Error("want a limit on memory, and none on CPU")
		}
		if container.Resources.Requests.Cpu().IsZero() || container.Resources.Requests.Memory().IsZero() {
			t.Error("want requests of CPU and memory")
		}
		if image := path.Base(container.Image); !strings.ContainsAny(image, ":@") || strings.HasSuffix(image, ":latest") {
			t.Errorf("%s floats: pin a version", container.Image)
		}
		for _, v := range p.Spec.Volumes {
			if v.Secret != nil && *v.Secret.DefaultMode != 0o440 {
				t.Errorf("other users can read the Secret in %s", v.Name)
			}
		}
	})
}

// TestImage: the pods run the image's own program, as the user that owns its /data.
func TestImage(t *testing.T) {
	dockerfile := contentOf(t, repository+"/Dockerfile")
	for _, line := range []string{"\nUSER 65532:65532\n", "\nENTRYPOINT [\"/houndtrail\"]\n"} {
		if !strings.Contains(dockerfile, line) {
			t.Errorf("the Dockerfile does not say %q", line)
		}
	}
	everyPod(t, func(t *testing.T, p pod, _ string) {
		if p.Spec.Containers[0].Command != nil {
			t.Error("the pod replaces the image's entry point")
		}
		if user := p.Spec.SecurityContext.RunAsUser; user != nil && *user != 65532 {
			t.Errorf("the pod runs as %d", *user)
		}
	})
}

// TestMemoryLimit: Go's limit leaves room for memory that Go does not count, and uses most of the rest.
func TestMemoryLimit(t *testing.T) {
	everyPod(t, func(t *testing.T, p pod, rendered string) {
		// Go says MiB, Kubernetes Mi.
		limit, err := resource.ParseQuantity(strings.TrimSuffix(p.environ(configMaps(t, rendered))["GOMEMLIMIT"], "B"))
		if err != nil {
			t.Fatal(err)
		}
		kernel := p.Spec.Containers[0].Resources.Limits.Memory()
		if limit.Value() > kernel.Value()*9/10 || limit.Value() < kernel.Value()*8/10 {
			t.Errorf("GOMEMLIMIT is %s of %s", &limit, kernel)
		}
	})
}

// TestVariables: the program knows every variable. The grace period is ten seconds longer than HOUNDTRAIL_STOP_GRACE. No variable holds a
// secret.
func TestVariables(t *testing.T) {
	known := map[string]bool{}
	text := contentOf(t, repository+"/deploy/houndtrail.env.example")
	for _, match := range regexp.MustCompile(`(?m)^#?(HOUNDTRAIL_\w+)=`).FindAllStringSubmatch(text, -1) {
		known[match[1]] = true
	}
	everyPod(t, func(t *testing.T, p pod, rendered string) {
		all := p.environ(configMaps(t, rendered))
		for name, value := range all {
			if strings.HasPrefix(name, "HOUNDTRAIL_") && !known[name] && !known[strings.TrimSuffix(name, "_FILE")] {
				t.Errorf("%s is not in houndtrail.env.example: the program would refuse to start", name)
			}
			if strings.Contains(value, "e+0") {
				t.Errorf("%s is %s: want digits", name, value)
			}
		}
		if p.Spec.Containers[0].Args[0] == "watch" {
			return
		}
		grace, err := time.ParseDuration(all["HOUNDTRAIL_STOP_GRACE"])
		if err != nil || grace+10*time.Second != time.Duration(*p.Spec.TerminationGracePeriodSeconds)*time.Second {
			t.Errorf("HOUNDTRAIL_STOP_GRACE is %s, and Kubernetes waits for %ds", grace, *p.Spec.TerminationGracePeriodSeconds)
		}
	})
}

// TestPathsAreMounted: each path in a variable is in a volume.
func TestPathsAreMounted(t *testing.T) {
	everyPod(t, func(t *testing.T, p pod, rendered string) {
		for name, value := range p.environ(configMaps(t, rendered)) {
			if file := strings.TrimPrefix(value, "file://"); strings.HasPrefix(file, "/") && p.mountOf(file) == nil {
				t.Errorf("%s names %s, which no volume has", name, file)
			}
		}
		for _, m := range p.Spec.Containers[0].VolumeMounts {
			if !slices.ContainsFunc(p.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == m.Name }) {
				t.Errorf("there is no volume %s for %s", m.Name, m.MountPath)
			}
		}
	})
}

// mountOf returns the mount that has a file.
func (p pod) mountOf(file string) *corev1.VolumeMount {
	for _, m := range p.Spec.Containers[0].VolumeMounts {
		if file == m.MountPath || strings.HasPrefix(path.Clean(file), m.MountPath+"/") {
			return &m
		}
	}
	return nil
}

// TestReferences: each ConfigMap and claim that a pod names is either rendered, or named in the values.
func TestReferences(t *testing.T) {
	everyPod(t, func(t *testing.T, p pod, rendered string) {
		made := map[string]bool{ // by the user
			"Secret bh-acme": true, "Secret bh-globex": true, "Secret siem": true, "Secret more": true, "Claim archive-of-globex": true,
			"ServiceAccount acme-writer": true, "ServiceAccount default": true,
		}
		for _, o := range objects(t, rendered) {
			kind := map[string]string{"ExternalSecret": "Secret", "PersistentVolumeClaim": "Claim"}[o.kind]
			if kind == "" {
				kind = o.kind
			}
			made[kind+" "+o.name] = true
		}
		needs := []string{"ServiceAccount " + p.Spec.ServiceAccountName}
		for _, from := range p.Spec.Containers[0].EnvFrom {
			if from.ConfigMapRef != nil {
				needs = append(needs, "ConfigMap "+from.ConfigMapRef.Name)
			}
		}
		for _, v := range p.Spec.Volumes {
			switch {
			case v.Secret != nil:
				needs = append(needs, "Secret "+v.Secret.SecretName)
			case v.ConfigMap != nil:
				needs = append(needs, "ConfigMap "+v.ConfigMap.Name)
			case v.PersistentVolumeClaim != nil:
				needs = append(needs, "Claim "+v.PersistentVolumeClaim.ClaimName)
			}
		}
		for _, need := range needs {
			if !made[need] {
				t.Errorf("there is no %s", need)
			}
		}
	})
}
