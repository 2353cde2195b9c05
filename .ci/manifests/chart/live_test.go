package chart

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// .ci/walk runs the test below with both.
var (
	liveObjects = flag.String("live", "", "file with the objects of a cluster: pods, and their ConfigMaps and Secrets")
	livePod     = flag.String("pod", "", "the name of the pod that TestLive runs")
)

// TestLive runs a pod that a cluster would start, as the API server has it. The node has the cluster's Secrets. The pod's output is that
// of this process, and if this process is killed, the pod's process ends too.
func TestLive(t *testing.T) {
	if *liveObjects == "" {
		t.Skip("bash .ci/walk runs it: it needs an API server")
	}
	all := contentOf(t, *liveObjects)
	n := node{t.TempDir()}
	for _, o := range objects(t, all) {
		if o.kind != "Secret" {
			continue
		}
		for key, value := range decode[corev1.Secret](t, o).Data {
			n.write(t, filepath.Join("secret", o.name, key), string(value))
		}
	}
	cmd := n.command(t, podOf(t, all, "Pod "+*livePod), all)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v", *livePod, err)
	}
}
