package main

import (
	"bufio"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/sink/sinktest/servers"
)

// A world has the servers and clocks around houndtrail in a script.
type world struct {
	tb testing.TB // the script as a test

	mu      sync.Mutex
	jumped  time.Duration // of the double's clock
	moved   time.Duration // of our own
	gate    chan struct{} // closed to release the requests that are held
	began   time.Time
	server  *bloodhoundtest.Server
	siem    *siem
	s3      servers.S3
	running map[string]*process
	secrets []string // that no output may hold
	digests map[string]map[string]string
	golden  map[string][]byte // texts to rewrite, with -update
}

type worldKey struct{}

func worldOf(ts *testscript.TestScript) *world {
	w, ok := ts.Value(worldKey{}).(*world)
	if !ok {
		ts.Fatalf("the script was not set up")
	}
	return w
}

// now is the clock of the double.
func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().UTC().Add(w.jumped)
}

// The credentials of the double. Anything that looks like the key in an output fails the script.
const (
	tokenID  = "0a6d3f2e-5b1c-4e8f-9a7d-1c2b3d4e5f60"
	tokenKey = "c2VjcmV0LWtleS1vZi10aGUtdG9rZW4="
)

// readRows reads records as the API prints them, one JSON object a line.
func readRows(ts *testscript.TestScript, file string, now time.Time) []bloodhoundtest.Row {
	var rows []bloodhoundtest.Row
	lines := bufio.NewScanner(strings.NewReader(ts.ReadFile(file)))
	for lines.Scan() {
		var r struct {
			ID         int64           `json:"id"`
			CreatedAt  time.Time       `json:"created_at"`
			ActorID    string          `json:"actor_id"`
			ActorName  string          `json:"actor_name"`
			ActorEmail string          `json:"actor_email"`
			Action     string          `json:"action"`
			Fields     json.RawMessage `json:"fields"`
			RequestID  string          `json:"request_id"`
			SourceIP   string          `json:"source_ip_address"`
			Status     string          `json:"status"`
			CommitID   string          `json:"commit_id"`
			Null       []string        `json:"null"` // columns that are SQL NULL, which the API prints as ""
		}
		ts.Check(json.Unmarshal(lines.Bytes(), &r))
		if r.CreatedAt.IsZero() {
			r.CreatedAt = now
		}
		rows = append(rows, bloodhoundtest.Row{
			ID: r.ID, CreatedAt: r.CreatedAt, ActorID: r.ActorID, ActorName: r.ActorName, ActorEmail: r.ActorEmail,
			Action: r.Action, Fields: r.Fields, RequestID: r.RequestID, SourceIP: r.SourceIP, Status: r.Status, CommitID: r.CommitID,
			Null: r.Null,
		})
	}
	return rows
}
