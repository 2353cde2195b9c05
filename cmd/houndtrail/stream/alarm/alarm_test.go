package alarm_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"pgregory.net/rapid"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream/alarm"
)

// An event is an alarm as the receiver gets it.
type event struct {
	Type    string    `json:"type"`
	EventID string    `json:"event_id"`
	Stream  string    `json:"stream"`
	Alarm   string    `json:"alarm"`
	State   string    `json:"state"`
	Count   int64     `json:"count"`
	Total   int64     `json:"total"`
	Text    string    `json:"text"`
	At      time.Time `json:"at"`
}

// A receiver takes events, or refuses each post.
type receiver struct {
	posts  int
	events []event
	err    error
}

func (r *receiver) Tell(_ context.Context, events ...[]byte) error {
	r.posts++
	if r.err != nil {
		return r.err
	}
	for _, text := range events {
		var e event
		if err := json.Unmarshal(text, &e); err != nil || e.Type != "houndtrail.alarm" || e.At.IsZero() || e.Text == "" {
			return fmt.Errorf("event %s: %w", text, err)
		}
		r.events = append(r.events, e)
	}
	return nil
}

// took returns the events since the last call, as stream:alarm:state:count/total.
func (r *receiver) took() (said []string) {
	for _, e := range r.events {
		said = append(said, fmt.Sprintf("%s:%s:%s:%d/%d", e.Stream, e.Alarm, e.State, e.Count, e.Total))
	}
	r.events, r.posts = nil, 0
	return said
}

// A forgetful bucket keeps so many writes of a cycle, and no more, as if the process were killed then.
type forgetful struct {
	bucket.Bucket
	keeps int
}

func (f *forgetful) Put(ctx context.Context, key string, body []byte, version string) (string, error) {
	if f.keeps--; f.keeps < 0 {
		return "", fs.ErrPermission
	}
	return f.Bucket.Put(ctx, key, body, version)
}

// A world has one receiver, one bucket, and a process that a test may replace by the next one.
type world struct {
	receiver
	forgetful
	now time.Time
	*alarm.Teller
}

func newWorld() *world {
	w := &world{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	w.Bucket = &checkpointtest.Memory{}
	w.restart()
	return w
}

func (w *world) restart() {
	w.Teller = alarm.NewTeller(alarm.Options{
		Bucket: &w.forgetful, Stream: "webhook", Tenant: "acme", Events: &w.receiver, Now: func() time.Time { return w.now }, Log: zap.NewNop(),
	})
}

func well(e alarm.Entry) alarm.Facts { return alarm.Facts{Stream: "archive", Entry: &e} }

func troubled(state string, e alarm.Entry) alarm.Facts {
	return alarm.Facts{Stream: "archive", Trouble: state, Reason: "what the log says", Entry: &e}
}

// Each change is told once: not in each cycle, and not again by another process. An alarm that the receiver does not take comes
// later, and one that a process could not write down comes twice with the same event_id.
func TestAlarms(t *testing.T) {
	t.Parallel()
	w := newWorld()
	near := alarm.Entry{Deadline: w.now.Add(240 * time.Hour)}
	for i, step := range []struct {
		facts   alarm.Facts
		refuses error
		forgets bool // the process is killed before it has written
		restart bool // another process goes on
		after   time.Duration
		want    []string
	}{
		{facts: well(alarm.Entry{})},
		{facts: troubled("changed", alarm.Entry{}), want: []string{"archive:changed:raised:0/0"}},
		{facts: troubled("changed", alarm.Entry{})},
		{facts: troubled("changed", alarm.Entry{}), restart: true},
		{facts: alarm.Facts{Stream: "archive", Trouble: "unreadable"}, want: []string{
			"archive:changed:cleared:0/0", "archive:unreadable:raised:0/0",
		}},
		{facts: well(alarm.Entry{Holes: 2}), want: []string{"archive:unreadable:cleared:0/0", "archive:hole:raised:2/2"}},
		{facts: well(alarm.Entry{Holes: 2}), restart: true},
		{facts: well(alarm.Entry{Holes: 3, Changed: 5, Diverted: 4}), refuses: errors.New("not now")},
		{facts: well(alarm.Entry{Holes: 3, Changed: 5, Diverted: 4}), after: time.Minute}, // it is not asked again so soon
		{facts: well(alarm.Entry{Holes: 3, Changed: 5, Diverted: 4}), after: 5 * time.Minute, want: []string{
			"archive:hole:raised:1/3", "archive:vanished:raised:5/5", "archive:diverted:raised:4/4",
		}},
		{facts: well(near), want: []string{"archive:retention:raised:0/0"}}, // an adoption began the sums anew
		{facts: alarm.Facts{Stream: "archive"}},                             // whether it is still near is not known
		{facts: well(alarm.Entry{Holes: 1}), forgets: true, want: []string{"archive:retention:cleared:0/0", "archive:hole:raised:1/1"}},
		{facts: well(alarm.Entry{Holes: 1}), restart: true, want: []string{"archive:retention:cleared:0/0", "archive:hole:raised:1/1"}},
		{facts: well(alarm.Entry{Holes: 1})},
	} {
		w.now = w.now.Add(max(step.after, time.Second))
		if step.restart {
			w.restart()
		}
		w.err, w.keeps = step.refuses, 2
		if step.forgets {
			w.keeps = 0
		}
		w.Teller.Tell(t.Context(), []alarm.Facts{step.facts})
		posts := w.posts
		if diff := cmp.Diff(step.want, w.took()); diff != "" || posts > 1 {
			t.Errorf("step %d: %d posts (-want +got):\n%s", i, posts, diff)
		}
	}
}

// An alarm has the text of the log, and a cause that comes again has another event_id.
func TestAlarmEvent(t *testing.T) {
	t.Parallel()
	w := newWorld()
	ids := map[string]bool{}
	for i := range 6 {
		w.now = w.now.Add(time.Minute)
		f := well(alarm.Entry{Holes: int64(i)})
		if i%2 == 1 {
			f.Trouble, f.Reason = "changed", "the source is another one"
		}
		w.Teller.Tell(t.Context(), []alarm.Facts{f})
	}
	for _, e := range w.events {
		if ids[e.EventID] || !strings.HasPrefix(e.EventID, "acme/houndtrail/archive/alarm/") {
			t.Errorf("the event_id %q", e.EventID)
		}
		ids[e.EventID] = true
		if e.Alarm == "changed" && e.State == "raised" && e.Text != "the source is another one" {
			t.Errorf("the text %q", e.Text)
		}
	}
	if len(ids) != 3+2+5 {
		t.Errorf("%d alarms, want 10: %v", len(ids), w.events)
	}
}

// Whatever the facts are, and whenever posts fail and processes are killed, the receiver knows the state after the next post that it
// takes, and without a failure it is told no change twice.
func TestAlarmsProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		crashes := rapid.Bool().Draw(t, "crashes")
		stands, ids := map[string]bool{}, map[string]int{}
		holes, total, reported := int64(0), int64(0), int64(0)
		for range rapid.IntRange(1, 30).Draw(t, "cycles") {
			w.now = w.now.Add(10 * time.Minute)
			w.keeps, w.err = 2, nil
			killed := crashes && rapid.Bool().Draw(t, "killed")
			if killed { // before the post, or after it
				w.keeps = 1
			}
			if crashes && rapid.Bool().Draw(t, "refuses") {
				w.err = errors.New("no")
			}
			holes += rapid.Int64Range(0, 1).Draw(t, "holes")
			f := well(alarm.Entry{Holes: holes})
			f.Trouble = rapid.SampledFrom([]string{"", "", "changed", "failed"}).Draw(t, "trouble")
			w.Teller.Tell(context.Background(), []alarm.Facts{f})
			for _, e := range w.events {
				ids[e.EventID]++
				if e.Alarm == alarm.Hole {
					total, reported = max(total, e.Total), reported+e.Count
					continue
				}
				stands[e.Alarm] = e.State == "raised"
			}
			w.events = nil
			if w.err == nil && (stands["changed"] != (f.Trouble == "changed") || stands["failed"] != (f.Trouble == "failed") || total != holes) {
				t.Fatalf("the receiver knows %v and %d holes, and the state is %q with %d", stands, total, f.Trouble, holes)
			}
			if killed {
				w.restart()
			}
		}
		for id, times := range ids {
			if times > 1 && !crashes {
				t.Fatalf("%s came %d times", id, times)
			}
		}
		if !crashes && reported != holes {
			t.Fatalf("the alarms count %d holes, and there are %d", reported, holes)
		}
	})
}
