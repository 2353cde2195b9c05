package daemon

import (
	"fmt"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
)

// stillness is how long a running cycle may show no sign of life. It is many times longer than the longest request, or the
// encoding and writing between two requests.
const stillness = 30 * time.Minute

// A turn is the state of a stream's loop.
type turn struct {
	at      time.Time // when its last cycle began or ended
	running bool
	over    bool // the loop has ended: the stream has stopped for good, or the daemon is stopping
}

// turns records that a cycle begins or ends.
func (h *health) turns(name string, running bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.streams[name]
	p.turn.at, p.turn.running = h.now(), running
}

// over records that a stream's loop has ended.
func (h *health) over(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.streams[name].turn.over = true
}

// hears records a sign of life: a request that was answered or failed, a post, or a committed window.
func (h *health) hears() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.heard = h.now()
}

// alive tells whether the loops work: a cycle begins when it is due, and a running cycle shows signs of life. The result of the
// cycles does not matter: a restart helps a program that hangs, but not a BloodHound or a SIEM that is down.
func (h *health) alive() (text string, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.now()
	var b strings.Builder
	ok = true
	for _, name := range h.order {
		p := h.streams[name]
		t := p.turn
		since := t.at
		if t.running && h.heard.After(since) {
			since = h.heard
		}
		still := now.Sub(since).Round(time.Second)
		switch {
		case t.over:
			fmt.Fprintf(&b, "%s: stopped\n", name)
		case t.running && now.Sub(since) > stillness:
			ok = false
			fmt.Fprintf(&b, "%s: hangs: nothing was heard of its cycle for %s\n", name, still)
		case t.running:
			fmt.Fprintf(&b, "%s: runs a cycle\n", name)
		case now.After(p.schedule.Next(since).Add(stream.Lateness)):
			ok = false
			fmt.Fprintf(&b, "%s: hangs: no cycle has begun for %s\n", name, still)
		default:
			fmt.Fprintf(&b, "%s: waits for its next cycle\n", name)
		}
	}
	return b.String(), ok
}
