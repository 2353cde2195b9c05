package tabletest

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/exporter/record"
)

// This file computes the rows of the views from the records, without SQL. The texts are in the form in which Run reads them.

const day = 24 * time.Hour

func dayOf(r *record.Record) time.Time { return r.CreatedAt.UTC().Truncate(day) }

func pairable(r *record.Record) bool { return r.CommitID != "" && r.CommitID != zero }

var ported = regexp.MustCompile(`^([0-9.]+):[0-9]+$`)

// address returns the first (0) or the last (-1) address of the chain.
func address(r *record.Record, at int) string {
	chain := strings.Split(r.SourceIP, ",")
	if at < 0 {
		at += len(chain)
	}
	return ported.ReplaceAllString(strings.TrimSpace(chain[at]), "$1")
}

func field(r *record.Record, key string) string {
	var fields map[string]any
	if json.Unmarshal([]byte(r.Fields), &fields) != nil || fields[key] == nil {
		return ""
	}
	return fmt.Sprint(fields[key])
}

func actor(r *record.Record) string {
	for _, name := range []string{r.ActorName, field(r, "username"), r.ActorEmail, r.ActorID} {
		if name != "" {
			return name
		}
	}
	return null
}

// rowOf is a row of a view about one record.
func rowOf(tenant string, r *record.Record, more ...string) []string {
	return append([]string{
		tenant, dayOf(r).Format(time.DateOnly), fmt.Sprint(r.ID), fmt.Sprint(r.CreatedAt.UnixMicro()), r.Action,
		actor(r), address(r, 0), address(r, -1),
	}, more...)
}

// A View has the columns of a view that a test reads, and the rows that the view must have.
type View struct {
	Columns string
	Rows    [][]string
}

// ViewsOf returns the views over the records of each tenant, by name.
func ViewsOf(all map[string][]record.Record) map[string]View {
	const about = "tenant, dt, id, created_at_us, action, who, client_address, peer_address, "
	events, orphans := View{Columns: about + "status, duration_ms"}, View{Columns: about + "reason"}
	logins := View{Columns: about[:len("tenant, dt, id, created_at_us, ")] + "who, client_address, peer_address, status"}
	actors := View{Columns: "tenant, dt, who, actions, failures, kinds, client_addresses"}
	for tenant, records := range all {
		people := map[string]*activity{}
		actions := byCommit(records)
		for i := range records {
			r := &records[i]
			if r.Status == "intent" {
				if reason := actions.orphaned(r); reason != "" {
					orphans.Rows = append(orphans.Rows, rowOf(tenant, r, reason))
				}
				continue
			}
			events.Rows = append(events.Rows, rowOf(tenant, r, r.Status, actions.duration(r)))
			if r.Action == "LoginAttempt" {
				row := rowOf(tenant, r, r.Status)
				logins.Rows = append(logins.Rows, slices.Delete(row, 4, 5))
			}
			key := dayOf(r).Format(time.DateOnly) + "\x00" + actor(r) + "\x00" + r.ActorID
			if people[key] == nil {
				people[key] = &activity{actions: map[string]bool{}, addresses: map[string]bool{}}
			}
			people[key].add(r)
		}
		for key, a := range people {
			parts := strings.Split(key, "\x00")
			actors.Rows = append(actors.Rows, []string{
				tenant, parts[0], parts[1], fmt.Sprint(a.n), fmt.Sprint(a.failures),
				fmt.Sprint(len(a.actions)), fmt.Sprint(len(a.addresses)),
			})
		}
	}
	return map[string]View{"audit_events": events, "audit_orphans": orphans, "audit_logins": logins, "audit_actors": actors}
}

type activity struct {
	n, failures        int
	actions, addresses map[string]bool
}

func (a *activity) add(r *record.Record) {
	a.n++
	if r.Status == "failure" {
		a.failures++
	}
	a.actions[r.Action] = true
	a.addresses[address(r, 0)] = true
}

// pairs are the records that can be parts of one action, by their commit id.
type pairs map[string][]*record.Record

func byCommit(records []record.Record) pairs {
	p := pairs{}
	for i := range records {
		if r := &records[i]; pairable(r) {
			p[r.CommitID] = append(p[r.CommitID], r)
		}
	}
	return p
}

// duration is the time since the intent, in milliseconds.
func (p pairs) duration(r *record.Record) string {
	for _, intent := range p[r.CommitID] {
		apart := dayOf(r).Sub(dayOf(intent))
		if intent.Status == "intent" && apart >= 0 && apart <= day {
			return number(float64(r.CreatedAt.UnixMicro()-intent.CreatedAt.UnixMicro()) / 1000)
		}
	}
	return null
}

// orphaned returns the reason if an intent is in audit_orphans; "" if it is not.
func (p pairs) orphaned(r *record.Record) string {
	if !pairable(r) {
		return "no commit id"
	}
	for _, outcome := range p[r.CommitID] {
		apart := dayOf(outcome).Sub(dayOf(r))
		if (outcome.Status == "success" || outcome.Status == "failure") && apart >= 0 && apart <= day {
			return ""
		}
	}
	return "no outcome"
}
