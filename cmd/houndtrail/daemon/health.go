package daemon

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
)

// health judges a stream by its last success: if a process runs but commits nothing, the stream is not well. alive answers
// another question: whether the process works.
type health struct {
	now  func() time.Time
	jobs []*job // the order of the lines

	mu      sync.Mutex
	streams map[string]*streamHealth
	order   []string
	heard   time.Time // the last sign of life
}

// A streamHealth is the health of one stream.
type streamHealth struct {
	schedule cron.Schedule

	since   time.Time  // when it was last well; before the first success, when the daemon started
	until   time.Time  // everything before it is delivered, as far as this process knows
	success bool       // there was a commit, or a cycle that found no new record
	failure error      // the error of the latest cycle
	letters func() int // records that the destination refuses, at the newest entry that this process knows
	trying  string     // why the running cycle has to try again; "" if it does not
	turn    turn
}

func newHealth(all []*stream.Stream) *health {
	h := &health{now: time.Now, streams: map[string]*streamHealth{}}
	for _, s := range all {
		h.streams[s.Name] = &streamHealth{schedule: s.Schedule, since: h.now(), letters: s.Letters, turn: turn{at: h.now()}}
		h.order = append(h.order, s.Name)
	}
	return h
}

// ended records the end of a cycle, and its error.
func (h *health) ended(name string, err error, at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.streams[name]
	p.trying = ""
	if p.failure = err; err == nil {
		p.since, p.success = at, true
	}
}

// committed records that a cycle made progress: the first cycle of a long backlog can take hours, and the stream is still well.
// It clears the previous cycle's failure, unless a person has to look at that failure: while a clock is behind, a stream may
// deliver and commit, but it is not well.
func (h *health) committed(name string, at time.Time) {
	h.mu.Lock()
	failure := h.streams[name].failure
	h.mu.Unlock()
	if stream.OutcomeOf(failure) != stream.Unsound {
		h.ended(name, nil, at)
	}
}

// delivered records the time up to which everything is delivered.
func (h *health) delivered(name string, until time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.streams[name].until = until
}

// live is what this process knows of a stream.
func (h *health) live(name string) (l Live) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p := h.streams[name]; p != nil && p.success {
		l = Live{Success: p.since, Until: p.until}
	}
	return l
}

// tries records why a cycle has to try again. "" means that the cycle goes on.
func (h *health) tries(name, failure string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.streams[name].trying = failure
}

// due is when a stream that last succeeded at that time is stale. The first run after the last success may have failed for a
// passing reason. The second one should not.
func (h *health) due(name string, success time.Time) time.Time {
	schedule := h.streams[name].schedule // never changes
	return schedule.Next(schedule.Next(success)).Add(stream.Lateness)
}

// report has a line for each stream, and tells whether all of them are well: fresh enough for the schedule and, with
// needSuccess, past a first success. Without needSuccess, a job that is not well counts, too. The reasons of failures name hosts.
func (h *health) report(needSuccess, reasons bool) (text string, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.now()
	var b strings.Builder
	ok = true
	for _, name := range h.order {
		p := h.streams[name]
		due := h.due(name, p.since)
		age, letters := now.Sub(p.since).Round(time.Second), p.letters()
		switch {
		case now.After(due):
			ok = false
			fmt.Fprintf(&b, "%s: stale: no success for %s, due by %s", name, age, due.UTC().Format(time.RFC3339))
		case !p.success:
			ok = ok && !needSuccess
			fmt.Fprintf(&b, "%s: starting: no success yet after %s", name, age)
		case p.failure != nil:
			fmt.Fprintf(&b, "%s: failing: last success %s ago", name, age)
		case letters > 0:
			fmt.Fprintf(&b, "%s: dead letter: last success %s ago", name, age)
		default:
			fmt.Fprintf(&b, "%s: ok: last success %s ago", name, age)
		}
		if p.failure != nil {
			b.WriteString("; last cycle failed")
			if reasons {
				b.WriteString(": " + strings.ReplaceAll(p.failure.Error(), "\n", "; "))
			}
		}
		if letters > 0 {
			fmt.Fprintf(&b, "; in the dead letter, and not at the destination: %d", letters)
		}
		if p.trying != "" && reasons {
			b.WriteString("; " + p.trying)
		}
		b.WriteByte('\n')
	}
	for _, j := range h.jobs {
		line, well := j.report(reasons)
		b.WriteString(line)
		ok = ok && (well || needSuccess) // /readyz is about the exports, and a job does not stop these
	}
	return b.String(), ok
}
