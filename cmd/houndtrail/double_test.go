package main

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/faults"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/history"
)

// bloodhoundCommand is the test double of BloodHound:
//
//	bloodhound start [-profile P] [-records N] [-rows FILE] [-auth jwt]   a server, in place of the previous one
//	bloodhound later D N        both clocks move on by D, and so many records are new in that time
//	bloodhound late N           so many records appear that are stamped before records that were already read
//	bloodhound add FILE         records appear, one JSON object a line; without created_at they are of now
//	bloodhound restore D        the database is a backup that is D old, and the sequence goes on from there
//	bloodhound alter|delete N   the Nth newest record is changed, or removed, by an administrator of the database
//	bloodhound unprintable|printable N   the server cannot print the Nth newest record, or can again
//	bloodhound at TIME          both clocks are set to this time
//	bloodhound clock D          its clock is D ahead of the true time; ours stays
//	bloodhound ours D           our clock is D ahead of the true time; its stays
//	bloodhound date D|TIME      its Date headers are D ahead of its clock, or stand still; "0s" ends it
//	bloodhound lag D            a replica answers for it that is D behind; "0s" ends it
//	bloodhound fault NAME       each request to the audit log goes wrong: see faultOf; "none" ends it
//	bloodhound hold|release     each request to the audit log waits until it is released
//	bloodhound revoke|deny|allow   the token is deleted; the role is taken away, and given back
func bloodhoundCommand(ts *testscript.TestScript, neg bool, args []string) {
	arguments := map[string]int{
		"later": 2, "late": 1, "add": 1, "restore": 1, "alter": 1, "delete": 1, "unprintable": 1, "printable": 1,
		"at": 1, "clock": 1, "ours": 1, "date": 1, "lag": 1, "fault": 1, "hold": 0, "release": 0, "revoke": 0, "deny": 0, "allow": 0,
	}
	switch {
	case neg || len(args) == 0:
		ts.Fatalf("usage: bloodhound start|%s", strings.Join(slices.Sorted(maps.Keys(arguments)), "|"))
	case args[0] == "start":
		worldOf(ts).startDouble(ts, args[1:])
		return
	}
	want, known := arguments[args[0]]
	if !known || len(args) != want+1 {
		ts.Fatalf("bloodhound %s: unknown, or not with %d arguments", args[0], len(args)-1)
	}
	w := worldOf(ts)
	switch args[0] {
	case "later", "at", "clock", "ours", "date":
		w.setTime(ts, args)
	case "late", "add", "restore", "alter", "delete", "unprintable", "printable":
		w.changeLog(ts, args)
	default:
		w.changeAnswers(ts, args)
	}
}

// setTime carries out a script's change of the clocks.
func (w *world) setTime(ts *testscript.TestScript, args []string) {
	switch args[0] {
	case "later":
		w.later(duration(ts, args[1]), number(ts, args[2]))
		w.moveOurs(ts, w.moved+duration(ts, args[1]))
	case "at":
		at, err := time.Parse(time.RFC3339, args[1])
		ts.Check(err)
		w.setClock(time.Until(at))
		w.moveOurs(ts, time.Until(at))
	case "clock":
		w.setClock(duration(ts, args[1]))
	case "ours":
		w.moveOurs(ts, duration(ts, args[1]))
	case "date":
		if at, err := time.Parse(time.RFC3339, args[1]); err == nil {
			w.server.SetDate(bloodhoundtest.DateFixed(at))
			return
		}
		w.server.SetDate(bloodhoundtest.DateAhead(duration(ts, args[1])))
	}
}

// setClock sets the double's clock.
func (w *world) setClock(ahead time.Duration) {
	w.settle()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.jumped = ahead
}

// settle keeps visible rows visible, also if the clock is set back.
func (w *world) settle() {
	if w.server == nil {
		return
	}
	for _, r := range w.server.Rows() {
		if r.VisibleAt.IsZero() && !r.CreatedAt.After(w.now()) {
			w.server.Alter(r.ID, func(r *bloodhoundtest.Row) { r.VisibleAt = time.Unix(0, 0) })
		}
	}
}

// changeLog carries out a script's change of the records.
func (w *world) changeLog(ts *testscript.TestScript, args []string) {
	change := func(f func(*bloodhoundtest.Row)) { w.server.Alter(w.newest(ts, args[1]), f) }
	switch args[0] {
	case "late":
		w.late(number(ts, args[1]))
	case "add":
		w.server.Add(readRows(ts, args[1], w.now())...)
	case "restore":
		backup := w.now().Add(-duration(ts, args[1]))
		w.server.Restore(slices.DeleteFunc(w.server.Rows(), func(r bloodhoundtest.Row) bool { return r.CreatedAt.After(backup) })...)
	case "alter":
		change(func(r *bloodhoundtest.Row) { r.ActorName += " (changed)" })
	case "delete":
		w.server.Delete(w.newest(ts, args[1]))
	case "unprintable", "printable":
		change(func(r *bloodhoundtest.Row) { r.Unprintable = args[0] == "unprintable" })
	}
}

// changeAnswers carries out a script's change of the answers to requests.
func (w *world) changeAnswers(ts *testscript.TestScript, args []string) {
	switch args[0] {
	case "fault":
		w.server.ClearFaults()
		if fault := faultOf(ts, args[1]); fault != nil {
			w.server.Fault(fault)
		}
	case "lag":
		w.server.ClearFaults()
		w.server.Fault(faults.Lagging(duration(ts, args[1])))
	case "hold":
		gate := make(chan struct{})
		w.gate = gate
		w.server.Fault(faults.Before(func() { <-gate }))
	case "release":
		close(w.gate)
		w.gate = nil
		w.server.ClearFaults()
	case "revoke":
		w.server.Revoke(tokenID)
	case "deny", "allow":
		w.server.AllowAudit(args[0] == "allow")
	}
}

func faultOf(ts *testscript.TestScript, name string) bloodhoundtest.Fault {
	fault, ok := map[string]bloodhoundtest.Fault{
		"none":     nil,
		"html":     faults.NotJSON(),
		"redirect": faults.Redirect("https://login.example.com/saml?state=1"),
		"empty":    faults.Empty(),
		"no-rows":  faults.NoRows(),
		"null":     faults.NullRows(),
		"hidden":   faults.CountWithoutRows(500),
		"count":    faults.CountIgnoresFilters(),
		"disabled": faults.Fail(http.StatusForbidden, "unable to validate request signature for client: user disabled"),
	}[name]
	if !ok {
		ts.Fatalf("bloodhound fault %s: unknown", name)
	}
	return fault
}

// newest is the id of the Nth newest record.
func (w *world) newest(ts *testscript.TestScript, n string) int64 {
	rows := w.server.Rows()
	i := len(rows) - number(ts, n)
	if i < 0 || i >= len(rows) {
		ts.Fatalf("there are %d records", len(rows))
	}
	return rows[i].ID
}

// startDouble serves six weeks of history that end ten minutes ago: every record is old enough for an export.
func (w *world) startDouble(ts *testscript.TestScript, args []string) {
	options := bloodhoundtest.Options{Now: w.now, Seed: 7, Tokens: map[string]string{tokenID: tokenKey}, SessionTTL: 20 * 365 * 24 * time.Hour}
	w.began = w.now()
	jwt := false
	for len(args) > 1 {
		switch args[0] {
		case "-profile":
			profile, err := bloodhoundtest.ParseProfile(args[1])
			ts.Check(err)
			options.Profile = profile
		case "-records":
			options.Rows = history.Rows(history.Options{
				Seed: 7, N: number(ts, args[1]), Start: w.began.AddDate(0, 0, -42), End: w.began.Add(-10 * time.Minute),
			})
		case "-rows":
			options.Rows = readRows(ts, args[1], w.began)
		case "-auth":
			jwt = args[1] == "jwt"
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
	address := strings.TrimPrefix(source.URL, "http://")
	_, port, _ := strings.Cut(address, ":")
	ts.Setenv("BLOODHOUND", address)
	ts.Setenv("PORT", port)
	if jwt {
		token := w.server.Session("houndtrail")
		ts.Setenv("HOUNDTRAIL_BLOODHOUND_JWT", token)
		w.secrets = append(w.secrets, token)
		return
	}
	ts.Setenv("HOUNDTRAIL_BLOODHOUND_TOKEN_ID", tokenID)
	ts.Setenv("HOUNDTRAIL_BLOODHOUND_TOKEN_KEY", tokenKey)
	ts.Setenv("TOKEN_ID", tokenID)
	w.secrets = append(w.secrets, tokenKey)
}

// later moves the clock. The new records are older than the settling time.
func (w *world) later(d time.Duration, n int) {
	before := w.now()
	w.server.Add(history.Rows(history.Options{
		Seed: uint64(n), N: n, Start: before, End: before.Add(d - 5*time.Minute), FirstID: w.highest() + 10,
	})...)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.jumped += d
}

// moveOurs sets our own clock, in one step: a daemon reads it at any time.
func (w *world) moveOurs(ts *testscript.TestScript, ahead time.Duration) {
	w.moved = ahead
	file := ts.Getenv(clockVariable)
	ts.Check(os.WriteFile(file+".new", []byte(ahead.String()), 0o600))
	ts.Check(os.Rename(file+".new", file))
}

// late adds records with a time between the overlap's start and the cursor, as a slow transaction does.
func (w *world) late(n int) {
	at := w.now().Add(-9 * time.Minute)
	w.server.Add(history.Rows(history.Options{
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
