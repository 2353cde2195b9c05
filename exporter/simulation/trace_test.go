package simulation

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"
	"time"
)

// An event is one line of a world's story.
type event struct {
	at   time.Time
	who  string
	call call // zero if the event is no call
	fate fate
	err  error
	text string
}

const clockFormat = "02T15:04:05.000000"

func stamp(t time.Time) string {
	if t.IsZero() {
		return "no time"
	}
	return t.UTC().Format(clockFormat)
}

func (e event) String() string {
	if e.err != nil {
		return e.outline() + ": " + e.err.Error()
	}
	return e.outline()
}

// outline is the part of an event that does not depend on the scheduler. When a process or a lease ends, several goroutines end
// with an error, and the scheduler decides whose error the event tells.
func (e event) outline() string {
	text := fmt.Sprintf("%s  %-9s %s", stamp(e.at), e.who, e.text)
	if e.call != (call{}) {
		text += fmt.Sprintf("%s %s %s", e.call.part, e.call.op, e.call.key)
	}
	if e.fate.kind != fine {
		text += ": " + e.fate.String()
	}
	return text
}

// note writes a line. The world's mutex is held.
func (w *world) note(who, format string, args ...any) {
	w.events = append(w.events, event{at: time.Now(), who: who, text: fmt.Sprintf(format, args...)})
}

// lines is the part of the story that two runs can compare. It leaves out calls of a process that is dead, has lost the lease or
// was told to stop. It also leaves out the words with which a cycle fails.
func (w *world) lines() (lines []string) {
	for _, e := range w.events {
		switch {
		case errors.Is(e.err, errDead), errors.Is(e.err, context.Canceled), errors.Is(e.err, context.DeadlineExceeded):
		case e.call == (call{}) && e.err != nil:
		default:
			lines = append(lines, e.outline())
		}
	}
	return lines
}

// The numbers of events of a story that a test prints.
const (
	everything = 1 << 30
	latest     = 100
)

// story returns the last events, one line each.
func (w *world) story(most int) string {
	events := w.events[max(0, len(w.events)-most):]
	var b strings.Builder
	if skipped := len(w.events) - len(events); skipped > 0 {
		fmt.Fprintf(&b, "(%d lines before)\n", skipped)
	}
	for _, e := range events {
		fmt.Fprintln(&b, e)
	}
	return b.String()
}

// hash and mix make the seed of one decision.
func hash(parts ...string) uint64 {
	h := fnv.New64a()
	for _, part := range parts {
		_, _ = h.Write([]byte(part))
		_, _ = h.Write([]byte{0})
	}
	return h.Sum64()
}

func mix(a, b uint64) uint64 {
	a ^= b * 0x9e3779b97f4a7c15
	a ^= a >> 29
	a *= 0xbf58476d1ce4e5b9
	return a ^ a>>32
}
