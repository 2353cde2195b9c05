package receivers_test

import (
	"encoding/pem"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/houndtrail/houndtrail/sink/sinktest/receivers"
)

// python is a Python with the clients: bash .ci/clients installs them.
var python = flag.String("python", "", "Python with splunk-hec-handler and azure-monitor-ingestion")

func runClient(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), *python, append([]string{"clients.py"}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func needsPython(t *testing.T) {
	t.Helper()
	if *python == "" {
		t.Skip("no Python with the clients is named: bash .ci/clients runs this")
	}
}

func TestClientOfSplunk(t *testing.T) {
	t.Parallel()
	needsPython(t)
	h := receivers.NewHEC(receivers.HECOptions{Token: token})
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	runClient(t, "splunk", srv.URL, token)
	events := h.Events()
	if len(events) != 2 || events[0].Time != "1768480496.123456" || events[0].Sourcetype != "bloodhound:audit" ||
		events[0].Fields["event_id"] != "acme/1/1768480496123456" {
		t.Errorf("the double has %+v", events)
	}
}

func TestClientOfAzure(t *testing.T) {
	t.Parallel()
	needsPython(t)
	tokens := newTokens()
	s := receivers.NewSentinel(receivers.SentinelOptions{Tokens: tokens, Rule: rule, Stream: stream, Columns: columns()})
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/"+directory) {
			tokens.ServeHTTP(w, r)
			return
		}
		s.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	if err := os.WriteFile(ca, block, 0o600); err != nil {
		t.Fatal(err)
	}
	runClient(t, "azure", srv.URL, ca, directory, rule, stream)
	rows := s.Rows()
	if dropped, cut := s.Silent(); len(rows) != 1000 || rows[999]["RecordId"] != int64(999) || len(dropped) != 0 || cut != 0 {
		t.Errorf("the double has %d rows, dropped %v and cut %d", len(rows), dropped, cut)
	}
}
