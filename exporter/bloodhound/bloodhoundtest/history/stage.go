package history

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/internal/api"
)

// stage plays a history, one act after the other.
type stage struct {
	r    *rand.Rand
	cast *cast
	rows []bloodhoundtest.Row

	// Of the act under way:
	at     time.Time
	unit   time.Duration // the unit that its times are rounded to
	zone   *time.Location
	who    *person
	source string
}

var summer = time.FixedZone("CEST", 2*60*60)

// enter opens an act: it sets its time and its person.
func (st *stage) enter(at time.Time) {
	st.unit, st.zone = time.Microsecond, nil
	if st.r.IntN(perThousand) < roundShare {
		for range 1 + st.r.IntN(6) {
			st.unit *= 10
		}
	}
	if st.r.IntN(perThousand) < zoneShare {
		st.zone = summer
	}
	st.at = at.Truncate(st.unit)
	st.who = st.cast.pick()
	st.source = st.who.source
}

// act plays one act, common ones more often.
func (st *stage) act() {
	n := st.r.IntN(totalWeight)
	for _, a := range acts {
		if n -= a.weight; n < 0 {
			a.play(st)
			return
		}
	}
}

// later moves the clock on by up to a limit, at least by one unit.
func (st *stage) later(limit time.Duration) {
	took := time.Duration(st.r.Int64N(int64(limit))).Truncate(st.unit)
	st.at = st.at.Add(max(took, st.unit))
}

// row is a row of the act under way, with a request id of its own.
func (st *stage) row(action, status string, fields json.RawMessage) bloodhoundtest.Row {
	return bloodhoundtest.Row{
		CreatedAt: st.at, Zone: st.zone,
		ActorID: st.who.id, ActorName: st.who.name, ActorEmail: st.who.email,
		Action: action, Fields: fields, Status: status,
		RequestID: api.NewUUID(st.r), SourceIP: st.source, CommitID: api.NewUUID(st.r),
	}
}

func (st *stage) add(rows ...bloodhoundtest.Row) { st.rows = append(st.rows, rows...) }

// single is an action that leaves one row.
func (st *stage) single(action, status string, fields json.RawMessage) {
	st.add(st.row(action, status, fields))
}

// slowest is how long a change takes at most.
const slowest = 800 * time.Millisecond

// pair is an action with two rows: the intent, then the outcome with the fields that the server filled in meanwhile.
// A few fail, and a few have no outcome because the process died.
func (st *stage) pair(action string, intent, success json.RawMessage) {
	first := st.row(action, "intent", intent)
	st.add(first)
	fate := st.r.IntN(perThousand)
	const lost, failed = 3, 40
	if fate < lost {
		return
	}
	st.later(slowest)
	outcome := first
	outcome.CreatedAt, outcome.Status, outcome.Fields = st.at, "success", success
	if fate < failed {
		outcome.Status, outcome.Fields = "failure", withError(intent, st.oneOf(complaints...))
	}
	st.add(outcome)
}

// attempt is a login. Its intent names no user. If the name does not exist, its failure names none either.
func (st *stage) attempt(username, failure string, known bool, extra string) {
	intent := st.row("LoginAttempt", "intent", text(`{"auth_type":"secret","username":%s}`, username))
	outcome := intent
	if extra != "" {
		intent.Fields = text(`{`+extra+`,"username":%s}`, username)
	}
	intent.ActorID, intent.ActorName, intent.ActorEmail = "", "", ""
	if !known {
		outcome = intent
	}
	st.add(intent)
	st.later(slowest)
	outcome.CreatedAt, outcome.Status, outcome.Fields = st.at, "success", intent.Fields
	if failure != "" {
		outcome.Status = "failure"
		outcome.Fields = text(`{"auth_type":"secret","error":`+failure+`,"username":%s}`, username)
	}
	st.add(outcome)
}

func (st *stage) oneOf(choices ...string) string { return choices[st.r.IntN(len(choices))] }

// text fills strings into a template as JSON strings, and other values by %d and %t.
func text(template string, values ...any) json.RawMessage {
	for i, v := range values {
		if s, ok := v.(string); ok {
			values[i] = api.AppendString(nil, s)
		}
	}
	return fmt.Appendf(nil, template, values...)
}

// withError adds the error that the server records with a failed change. The keys are in alphabetical order.
func withError(fields json.RawMessage, message string) json.RawMessage {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(fields, &all); err != nil || all == nil {
		all = make(map[string]json.RawMessage)
	}
	all["error"] = api.AppendString(nil, message)
	out, _ := json.Marshal(all) // it was JSON before
	return out
}
