package chart

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/sink/sinktest/servers"
)

// A node runs pods as processes. It has a folder for each Secret and for each claim, and puts the folders in the place of the pods' mounts.
type node struct {
	volumes string
}

func newNode(t *testing.T) node {
	t.Helper()
	n := node{t.TempDir()}
	n.write(t, "secret/token/token-id", tokenID)
	n.write(t, "secret/token/token-key", tokenKey)
	return n
}

func (n node) write(t *testing.T, name, text string) {
	t.Helper()
	file := filepath.Join(n.volumes, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o440); err != nil {
		t.Fatal(err)
	}
}

// command is the pod's process: the image's entry point, with the pod's arguments and variables, and no others.
func (n node) command(t *testing.T, p pod, rendered string) *exec.Cmd {
	t.Helper()
	binary, err := program()
	if err != nil {
		t.Fatal(err)
	}
	var environ []string
	for name, value := range p.environ(configMaps(t, rendered)) {
		environ = append(environ, name+"="+n.mounted(t, p, value))
	}
	slices.Sort(environ)
	cmd := exec.CommandContext(t.Context(), binary, p.Spec.Containers[0].Args...)
	cmd.Env, cmd.Dir = environ, t.TempDir()
	cmd.SysProcAttr = servers.DieWithTest()
	return cmd
}

// mounted replaces a path in a mount by that in the node's folder.
func (n node) mounted(t *testing.T, p pod, value string) string {
	t.Helper()
	scheme, file := "", value
	if rest, is := strings.CutPrefix(value, "file://"); is {
		scheme, file = "file://", rest
	}
	if !strings.HasPrefix(file, "/") {
		return value
	}
	mount := p.mountOf(file)
	if mount == nil {
		t.Fatalf("no volume has %s", file)
	}
	for _, v := range p.Spec.Volumes {
		if v.Name != mount.Name {
			continue
		}
		folder := "" // of the node
		switch {
		case v.Secret != nil:
			folder = filepath.Join("secret", v.Secret.SecretName)
		case v.PersistentVolumeClaim != nil:
			folder = filepath.Join("claim", v.PersistentVolumeClaim.ClaimName)
		default:
			t.Fatalf("the node has no volume of the kind of %s", v.Name)
		}
		folder = filepath.Join(n.volumes, folder)
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		return scheme + folder + strings.TrimPrefix(file, mount.MountPath)
	}
	t.Fatalf("there is no volume %s", mount.Name)
	return ""
}

// run runs a pod to its end, and wants exit code 0.
func (n node) run(t *testing.T, p pod, rendered string) string {
	t.Helper()
	said, err := n.command(t, p, rendered).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", p.of, err, said)
	}
	return string(said)
}

// podOf returns the pod of an object.
func podOf(t *testing.T, rendered, of string) pod {
	t.Helper()
	for _, p := range pods(t, rendered) {
		if p.of == of {
			return p
		}
	}
	t.Fatalf("the chart has no %s", of)
	return pod{}
}

// serves starts a pod, waits until every probe succeeds, reads its metrics, and stops it.
func (n node) serves(t *testing.T, p pod, rendered string) {
	t.Helper()
	cmd := n.command(t, p, rendered)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	container := p.Spec.Containers[0]
	for _, path := range []string{container.LivenessProbe.HTTPGet.Path, container.ReadinessProbe.HTTPGet.Path, "/metrics"} {
		body := await(ctx, t, fmt.Sprintf("http://127.0.0.1:%d%s", container.Ports[0].ContainerPort, path), ended)
		if path == "/metrics" && !strings.Contains(body, "houndtrail_build_info{") {
			t.Errorf("%s: no metrics at %s:\n%s", p.of, path, body)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil && cmd.ProcessState.ExitCode() != 7 { // 7: it had more to do
		t.Errorf("%s: %v\n%s", p.of, err, said.String())
	}
}

// await asks until the answer is 200, as the kubelet does.
func await(ctx context.Context, t *testing.T, url string, ended <-chan error) string {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for last := errors.New("not asked yet"); ; {
		select {
		case err := <-ended:
			t.Fatalf("the process has ended: %v", err)
		case <-ctx.Done():
			t.Fatalf("%s: %v", url, last)
		case <-tick.C:
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			last = err
			continue
		}
		var body bytes.Buffer
		_, err = body.ReadFrom(answer.Body)
		answer.Body.Close()
		if err == nil && answer.StatusCode == http.StatusOK {
			return body.String()
		}
		last = fmt.Errorf("%s: %s", answer.Status, body.String())
	}
}
