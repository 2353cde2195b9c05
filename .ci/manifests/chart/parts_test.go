package chart

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"
)

// TestRules: the PrometheusRule has every alert of deploy/prometheus. Those of CronJobs ask for this release alone, and allow the time
// that the values say.
func TestRules(t *testing.T) {
	rendered := render(t, "--values", "testdata/values/cronjob.yaml", "--set", "prometheusRule.enabled=true,prometheusRule.cronJobStaleSeconds=7200")
	alerts := contentOf(t, repository+"/deploy/prometheus/alerts.yaml")
	lines, changed := strings.SplitAfter(alerts, "\n"), 0
	for i, line := range lines {
		if !strings.Contains(line, "kube_cronjob_") {
			continue
		}
		mine := strings.Replace(line, `cronjob=~"houndtrail.*"`, `namespace="houndtrail", cronjob=~"houndtrail-.*"`, 1)
		if mine == line {
			t.Errorf("alerts.yaml asks for other CronJobs than the template prometheusrule.yaml expects: %s", line)
		}
		lines[i] = strings.Replace(mine, " 3600\n", " 7200\n", 1)
		if lines[i] != mine {
			changed++
		}
	}
	if changed != 2 {
		t.Errorf("alerts.yaml has %d lines with the time after which a CronJob is stale, and the template expects 2", changed)
	}
	alerts = strings.Join(lines, "")
	var want, got any
	if err := yaml.Unmarshal([]byte(alerts), &want); err != nil {
		t.Fatal(err)
	}
	for _, o := range objects(t, rendered) {
		if o.kind == "PrometheusRule" {
			var rule struct{ Spec any }
			if err := yaml.Unmarshal([]byte(o.text), &rule); err != nil {
				t.Fatal(err)
			}
			got = rule.Spec
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-alerts.yaml +PrometheusRule)\n%s", diff)
	}
}

// TestDashboard: if the chart has the dashboard, the ConfigMap has the same JSON.
func TestDashboard(t *testing.T) {
	rendered := render(t, "--values", "testdata/values/cronjob.yaml", "--set", "dashboard.enabled=true")
	got, made := configMaps(t, rendered)["houndtrail-dashboard"]["houndtrail.json"]
	text, err := os.ReadFile(filepath.Join(chartDir, "files", "houndtrail.json"))
	if made != (err == nil) {
		t.Fatalf("there is a ConfigMap: %v; there is a dashboard: %v", made, err == nil)
	}
	if !made {
		return
	}
	var want, have any
	if json.Unmarshal(text, &want) != nil || json.Unmarshal([]byte(got), &have) != nil || !cmp.Equal(want, have) {
		t.Error("the dashboard in the ConfigMap is another one")
	}
}

// TestNetworkPolicy looks at each way out of the pods.
func TestNetworkPolicy(t *testing.T) {
	ways := func(name string) (out []string) {
		for _, o := range objects(t, contentOf(t, goldenOf(name))) {
			if o.kind == "NetworkPolicy" {
				for _, rule := range decode[networkingv1.NetworkPolicy](t, o).Spec.Egress {
					out = append(out, way(rule))
				}
			}
		}
		return out
	}
	for name, want := range map[string][]string{
		"openshift": {
			"kube-system 169.254.20.10/32 : 53/UDP 53/TCP",
			"openshift-dns : 5353/UDP 5353/TCP",
			": 443/TCP",
		},
		"everything": {
			"kube-system 169.254.20.10/32 : 53/UDP 53/TCP",
			"openshift-dns : 5353/UDP 5353/TCP",
			"169.254.170.23/32 fd00:ec2::23/128 : 80/TCP",
			"169.254.169.254/32 fd00:ec2::254/128 : 80/TCP",
			"bloodhound+bloodhound : 8080/TCP",
			"192.0.2.0/24 2001:db8::/32 : 443/TCP 9000/TCP",
			"198.51.100.7/32 : 3128/TCP",
		},
	} {
		if diff := cmp.Diff(want, ways(name)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}

// way prints one rule in short: peers, then ports.
func way(rule networkingv1.NetworkPolicyEgressRule) string {
	var words []string
	for _, peer := range rule.To {
		switch {
		case peer.IPBlock != nil:
			words = append(words, peer.IPBlock.CIDR)
		case peer.PodSelector != nil:
			words = append(words, peer.NamespaceSelector.MatchLabels["kubernetes.io/metadata.name"]+"+"+peer.PodSelector.MatchLabels["app"])
		default:
			words = append(words, peer.NamespaceSelector.MatchLabels["kubernetes.io/metadata.name"])
		}
	}
	words = append(words, ":")
	for _, port := range rule.Ports {
		protocol := "TCP" // Kubernetes' default
		if port.Protocol != nil {
			protocol = string(*port.Protocol)
		}
		words = append(words, fmt.Sprintf("%s/%s", port.Port, protocol))
	}
	return strings.Join(words, " ")
}
