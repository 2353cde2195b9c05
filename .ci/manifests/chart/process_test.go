package chart

import (
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/history"
	"github.com/houndtrail/houndtrail/sink/sinktest/servers"
)

// built is the folder with the program, once a test has built it.
var built string

// program builds houndtrail once.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "chart")
	if err != nil {
		return "", err
	}
	built = dir
	file := filepath.Join(dir, "houndtrail")
	build := exec.Command("go", "build", "-o", file, "./cmd/houndtrail")
	build.Dir = repository
	if said, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, said)
	}
	return file, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if built != "" {
		os.RemoveAll(built)
	}
	os.Exit(code)
}

const tokenID, tokenKey = "0a6d3f2e-5b1c-4e8f-9a7d-1c2b3d4e5f60", "c2VjcmV0LWtleS1vZi10aGUtdG9rZW4="

// bloodhound starts the double, with six weeks of history.
func bloodhound(t *testing.T, records int) string {
	t.Helper()
	end := time.Now().UTC().Add(-10 * time.Minute)
	double := httptest.NewServer(bloodhoundtest.New(bloodhoundtest.Options{
		Tokens: map[string]string{tokenID: tokenKey},
		Rows:   history.Rows(history.Options{Seed: 7, N: records, Start: end.AddDate(0, 0, -42), End: end}),
	}))
	t.Cleanup(double.Close)
	return double.URL
}

// TestDirectory runs the pods of a release with two tenants, each with a volume: the first export, the CronJob and doctor.
func TestDirectory(t *testing.T) {
	rendered := render(t, "--set", strings.Join([]string{
		"tenants[0].name=acme,tenants[0].existingSecret=token,tenants[0].url=" + bloodhound(t, 500),
		"tenants[1].name=globex,tenants[1].existingSecret=token,tenants[1].url=" + bloodhound(t, 300),
		"persistence.enabled=true,settings.ARCHIVE_URL=file:///data",
	}, ","))
	n := newNode(t)
	for _, tenant := range []string{"acme", "globex"} {
		n.run(t, podOf(t, rendered, "Job houndtrail-first-"+tenant), rendered)
		n.run(t, podOf(t, rendered, "CronJob houndtrail-"+tenant), rendered)
		if said := n.run(t, podOf(t, rendered, "Pod houndtrail-doctor-"+tenant), rendered); !strings.Contains(said, "ok") {
			t.Errorf("doctor says:\n%s", said)
		}
		data := filepath.Join(n.volumes, "claim", "houndtrail-"+tenant)
		for _, want := range []string{"audit/tenant=" + tenant + "/dt=*/*.parquet", "checkpoints/" + tenant + "/archive/*/0*.json"} {
			if found, err := filepath.Glob(filepath.Join(data, want)); err != nil || len(found) == 0 {
				t.Errorf("there is no %s in %s: %v", want, data, err)
			}
		}
	}
}

// aBucket starts an S3 server, and returns the settings of a tenant in it. The credentials are in a file of the shared Secret.
func aBucket(t *testing.T, n node) string {
	t.Helper()
	s3 := servers.VersityGW(t)
	servers.CreateBucket(t, s3, "audit", false)
	n.write(t, "secret/s3/credentials", fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", s3.AccessKey, s3.SecretKey))
	return strings.Join([]string{
		"settings.ARCHIVE_URL=s3://audit/houndtrail,settings.S3_REGION=" + s3.Region,
		"settings.S3_ENDPOINT=" + s3.Endpoint, "settings.S3_PATH_STYLE=true", "shared.existingSecret=s3",
		"extraEnv[0].name=AWS_SHARED_CREDENTIALS_FILE,extraEnv[0].value=/etc/houndtrail/shared/credentials",
	}, ",")
}

// TestBucket runs two tenants that share a bucket and its archive: each has its own journal, and doctor is content with both.
func TestBucket(t *testing.T) {
	n := newNode(t)
	rendered := render(t, "--set", aBucket(t, n)+",tenants[0].name=acme,tenants[0].existingSecret=token,tenants[0].url="+bloodhound(t, 500)+
		",tenants[1].name=globex,tenants[1].existingSecret=token,tenants[1].url="+bloodhound(t, 300))
	for range 2 { // the second time, each finds its own journal
		for _, tenant := range []string{"acme", "globex"} {
			n.run(t, podOf(t, rendered, "CronJob houndtrail-"+tenant), rendered)
		}
	}
	for _, tenant := range []string{"acme", "globex"} {
		n.run(t, podOf(t, rendered, "Pod houndtrail-doctor-"+tenant), rendered)
	}
}

// TestDaemon runs the Deployment's pod. Its probes and the port for Prometheus answer. After SIGTERM it ends well within its time.
func TestDaemon(t *testing.T) {
	n, port := newNode(t), freePort(t)
	rendered := render(t, "--set", aBucket(t, n)+",kind=Deployment,port="+port+",tenants[0].name=acme,tenants[0].existingSecret=token,tenants[0].url="+bloodhound(t, 500))
	p := podOf(t, rendered, "Deployment houndtrail-acme")
	n.serves(t, p, rendered)
	n.run(t, podOf(t, rendered, "Pod houndtrail-doctor-acme"), rendered)
}

// TestWatch runs the pod of watch beside the CronJob of a tenant.
func TestWatch(t *testing.T) {
	n, port := newNode(t), freePort(t)
	rendered := render(t, "--set", aBucket(t, n)+",watch.enabled=true,watch.existingSecret=s3,port="+port+",tenants[0].name=acme,tenants[0].existingSecret=token,tenants[0].url="+bloodhound(t, 500))
	n.run(t, podOf(t, rendered, "CronJob houndtrail-acme"), rendered)
	n.serves(t, podOf(t, rendered, "Deployment houndtrail-watch"), rendered)
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
}
