package main

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"houndtrail/exporter/bloodhound/bloodhoundtest"
	"houndtrail/sink/sinktest/servers"
)

// A world is what a script has around houndtrail.
type world struct {
	tb testing.TB // the script as a test

	mu      sync.Mutex
	jumped  time.Duration // of the double's clock
	moved   time.Duration // of our own
	gate    chan struct{} // closed to let the requests go that are held
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

// bloodhoundCommand is the test double of BloodHound:
//
//	bloodhound start [-profile P] [-records N] [-rows FILE]   a server, in place of the one before
//	bloodhound later D N        its clock moves on by D, and N records are new in that time
//	bloodhound late N           so many records appear that are stamped before what was already read
//	bloodhound add FILE         records appear, one JSON object a line; without created_at they are of now
//	bloodhound restore D        the database is a backup that is D old, and the sequence goes on from there
//	bloodhound clock D          its clock is D ahead of the true time; ours stays
//	bloodhound ours D           our clock is D ahead of the true time; its stays
//	bloodhound fault NAME       each request to the audit log goes wrong: see faultNames; "none" ends it
//	bloodhound hold|release     each request to the audit log waits until it is released
//	bloodhound revoke|deny|allow   the token is deleted; the role is taken away, and given back
func bloodhoundCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: bloodhound start|later|late|add|clock|fault|hold|release|revoke|deny|allow")
	}
	w := worldOf(ts)
	argument := func(i int) string {
		if i >= len(args) {
			ts.Fatalf("bloodhound %s: an argument is missing", args[0])
		}
		return args[i]
	}
	switch args[0] {
	case "start":
		w.startDouble(ts, args[1:])
	case "later":
		w.later(duration(ts, argument(1)), number(ts, argument(2)))
		w.moveOurs(ts, w.moved+duration(ts, argument(1)))
	case "late":
		w.late(number(ts, argument(1)))
	case "add":
		w.server.Add(readRows(ts, argument(1), w.now())...)
	case "restore":
		backup := w.now().Add(-duration(ts, argument(1)))
		w.server.Restore(slices.DeleteFunc(w.server.Rows(), func(r bloodhoundtest.Row) bool { return r.CreatedAt.After(backup) })...)
	case "clock":
		w.mu.Lock()
		w.jumped = duration(ts, argument(1))
		w.mu.Unlock()
	case "ours":
		w.moveOurs(ts, duration(ts, argument(1)))
	case "fault":
		w.server.ClearFaults()
		if fault := faultOf(ts, argument(1)); fault != nil {
			w.server.Fault(fault)
		}
	case "hold":
		gate := make(chan struct{})
		w.gate = gate
		w.server.Fault(bloodhoundtest.Before(func() { <-gate }))
	case "release":
		close(w.gate)
		w.gate = nil
		w.server.ClearFaults()
	case "revoke":
		w.server.Revoke(tokenID)
	case "deny", "allow":
		w.server.AllowAudit(args[0] == "allow")
	default:
		ts.Fatalf("bloodhound %s: unknown", args[0])
	}
}

func faultOf(ts *testscript.TestScript, name string) bloodhoundtest.Fault {
	switch name {
	case "none":
		return nil
	case "html":
		return bloodhoundtest.NotJSON()
	case "redirect":
		return bloodhoundtest.Redirect("https://login.example.com/saml?state=1")
	case "empty":
		return bloodhoundtest.Empty()
	case "disabled":
		return bloodhoundtest.Fail(http.StatusForbidden, "unable to validate request signature for client: user disabled")
	default:
		ts.Fatalf("bloodhound fault %s: unknown", name)
		return nil
	}
}

// startDouble serves six weeks of history that end ten minutes ago: all of it is old enough to be read.
func (w *world) startDouble(ts *testscript.TestScript, args []string) {
	options := bloodhoundtest.Options{Now: w.now, Seed: 7, Tokens: map[string]string{tokenID: tokenKey}}
	w.began = w.now()
	for len(args) > 1 {
		switch args[0] {
		case "-profile":
			profile, err := bloodhoundtest.ParseProfile(args[1])
			ts.Check(err)
			options.Profile = profile
		case "-records":
			options.Rows = bloodhoundtest.History(bloodhoundtest.HistoryOptions{
				Seed: 7, N: number(ts, args[1]), Start: w.began.AddDate(0, 0, -42), End: w.began.Add(-10 * time.Minute),
			})
		case "-rows":
			options.Rows = readRows(ts, args[1], w.began)
		default:
			ts.Fatalf("bloodhound start %s: unknown", args[0])
		}
		args = args[2:]
	}
	w.server = bloodhoundtest.New(options)
	source := httptest.NewServer(w.server)
	ts.Defer(func() {
		if w.gate != nil {
			close(w.gate)
			w.gate = nil
		}
		source.CloseClientConnections()
		source.Close()
	})
	ts.Setenv("HOUNDTRAIL_BLOODHOUND_URL", source.URL)
	ts.Setenv("HOUNDTRAIL_BLOODHOUND_TOKEN_ID", tokenID)
	ts.Setenv("HOUNDTRAIL_BLOODHOUND_TOKEN_KEY", tokenKey)
	ts.Setenv("TOKEN_ID", tokenID)
	ts.Setenv("BLOODHOUND", strings.TrimPrefix(source.URL, "http://"))
	w.secrets = append(w.secrets, tokenKey)
}

// later moves the clock. The new records are older than the settling time.
func (w *world) later(d time.Duration, n int) {
	before := w.now()
	w.server.Add(bloodhoundtest.History(bloodhoundtest.HistoryOptions{
		Seed: uint64(n), N: n, Start: before, End: before.Add(d - 5*time.Minute), FirstID: w.highest() + 10,
	})...)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.jumped += d
}

// moveOurs sets our own clock.
func (w *world) moveOurs(ts *testscript.TestScript, ahead time.Duration) {
	w.moved = ahead
	ts.Check(os.WriteFile(ts.Getenv(clockVariable), []byte(ahead.String()), 0o600))
}

// late adds records with a time between the overlap's start and the cursor, as a slow transaction does.
func (w *world) late(n int) {
	at := w.now().Add(-9 * time.Minute)
	w.server.Add(bloodhoundtest.History(bloodhoundtest.HistoryOptions{
		Seed: uint64(n), N: n, Start: at, End: at.Add(time.Minute), FirstID: w.highest() + 10,
	})...)
}

func (w *world) highest() int64 {
	rows := w.server.Rows()
	if len(rows) == 0 {
		return 0
	}
	return slices.MaxFunc(rows, func(a, b bloodhoundtest.Row) int { return int(a.ID - b.ID) }).ID
}

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
