package simulation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/sink/webhook/deadletter"
)

var hookFaults = []fault{
	{name: "500", status: http.StatusInternalServerError},
	{name: "500, but taken", status: http.StatusInternalServerError, taken: true},
	{name: "503", status: http.StatusServiceUnavailable},
	{name: "429", status: http.StatusTooManyRequests},
	{name: "401", status: http.StatusUnauthorized},
	{name: "302", status: http.StatusFound},
}

// A postman carries batches to the receiver, several at a time.
//
// The sink draws its pauses between tries by itself, and not from the seed. They are a half to one and a half of 0.5, 1, 2, 4
// s, and so each ends within 1, 2, 4, 8 s. At these times a postman sends the tries. An answer takes no time or ten seconds, so
// the draw does not decide either whether there is another try within 17.5 s.
type postman struct {
	*process

	mu    sync.Mutex
	sent  map[string]delivery
	under int // the number of batches under way
}

// patience is the time for which the sender waits for the receiver.
const patience = 30 * time.Second

// A delivery has the attempts to send one batch in one cycle.
type delivery struct {
	cycle time.Time
	tries int
	ended time.Time
}

// RoundTrip implements http.RoundTripper.
func (m *postman) RoundTrip(r *http.Request) (*http.Response, error) {
	id := r.Header.Get("Idempotency-Key")
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	began := m.cycleBegan()
	m.mu.Lock()
	d := m.sent[id]
	if m.under++; m.under > 1 {
		defer m.count("batches side by side")
	}
	m.mu.Unlock()
	if !d.cycle.Equal(began) {
		d = delivery{cycle: began}
	}
	if d.tries > 0 {
		time.Sleep(time.Until(d.ended.Add(time.Second << (d.tries - 1))))
	}
	defer func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.under--
		m.sent[id] = delivery{cycle: began, tries: d.tries + 1, ended: time.Now()}
	}()
	ctx, cancel := patient(r.Context())
	defer cancel()
	return do(ctx, m.process, call{hook, r.Method, "batch/" + id}, func(ctx context.Context) (*http.Response, error) {
		m.world.mu.Lock()
		defer m.world.mu.Unlock()
		if m.violation != "" {
			return nil, errOver
		}
		return m.receive(ctx, m.process, id, body, began), nil
	})
}

// patient returns the sender's context with another deadline. The sender's own deadline counts from a moment that the sink has
// drawn, and the new one counts from now. The new context still ends with its process or its cycle.
func patient(ctx context.Context) (context.Context, context.CancelFunc) {
	own, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Until(rounded(time.Now()).Add(patience)))
	stop := context.AfterFunc(ctx, func() {
		if errors.Is(ctx.Err(), context.Canceled) {
			cancel()
		}
	})
	return own, func() { stop(); cancel() }
}

// A receiver is the other end of the webhook. When it has a batch, it has taken the batch, with any answer.
type receiver struct {
	largest int // bytes of a batch; 0 for any
	batches map[string][]identity
	events  map[identity]*taken
}

// taken is an event that the receiver has.
type taken struct {
	line      string
	committed time.Time // true time of the entry that accounts for it; zero while there is none
	lineage   int       // the lineage of that entry. The next lineage knows only the records that the journal remembers
}

func newReceiver(largest int) receiver {
	return receiver{largest: largest, batches: map[string][]identity{}, events: map[identity]*taken{}}
}

// receive takes a batch, or refuses it.
func (w *world) receive(ctx context.Context, p *process, id string, body []byte, began time.Time) *http.Response {
	f, _ := ctx.Value(faultKey{}).(fault)
	text, err := gunzip(body)
	switch {
	case err != nil:
		w.fail("batch %s cannot be unpacked: %v", id, err)
	case w.receiver.largest > 0 && len(text) > w.receiver.largest && strings.Count(text, "\n") > 1:
		return reply(http.StatusRequestEntityTooLarge)
	case w.poison && poisons(text):
		w.tally["batches with a poisoned record"]++
		return reply(http.StatusBadRequest)
	case f.status == 0 || f.taken:
		w.judgeBatch(p, id, text, began)
	}
	if f.status != 0 {
		return reply(f.status)
	}
	return reply(http.StatusOK)
}

func reply(status int) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: http.NoBody}
}

func gunzip(body []byte) (string, error) {
	unzipped, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(unzipped)
	return string(text), err
}

// poisons tells whether a batch has a record that the receiver of some worlds cannot read.
func poisons(text string) bool {
	for line := range strings.Lines(text) {
		if id, err := eventOf(line); err == nil && poisoned(id) {
			return true
		}
	}
	return false
}

// poisoned is true for so few records that they are at fault, and not the receiver.
func poisoned(id identity) bool { return id.id%307 == 17 }

// judgeLetters checks that each record that an entry passes as refused is in a letter that is durable by now, and counts them.
func (w *world) judgeLetters(e checkpoint.Checkpoint) int {
	for _, l := range e.Refused {
		id := identity{l.ID, l.CreatedAt.UnixMicro()}
		body, _, _, err := w.positions.Get(w.t.Context(), deadletter.Key(webhookStream, l))
		_, line, _ := strings.Cut(string(body), "\n")
		got, bad := eventOf(line)
		if err != nil || bad != nil || got != id || digest(body) != l.SHA256 {
			w.fail("LOST: entry %d says that %v is in the dead letter, and there is %q, %v", e.Serial, id, line, err)
		}
		again := w.follows && w.compacts // it may come a second time
		if seen := w.receiver.events[id]; seen != nil && seen.lineage >= w.journals[webhookStream].resets && !again {
			w.fail("entry %d accounts for event %v, as another one did", e.Serial, id)
		}
		w.judgeLine(id, line)
		w.receiver.events[id] = &taken{line: line, committed: time.Now(), lineage: w.journals[webhookStream].resets}
		w.tally["letters"]++
	}
	return len(e.Refused)
}

// judgeBatch compares the events of a batch with the earlier ones.
func (w *world) judgeBatch(p *process, batch, text string, began time.Time) {
	var ids []identity
	for line := range strings.Lines(text) {
		id, err := eventOf(line)
		if err != nil {
			w.fail("batch %s has the line %q: %v", batch, line, err)
			return
		}
		ids = append(ids, id)
		seen := w.receiver.events[id]
		switch {
		case seen == nil:
			w.judgeLine(id, line)
			w.receiver.events[id] = &taken{line: line}
		case seen.line != line:
			w.fail("event %v came as\n%sand then as\n%s", id, seen.line, line)
		case w.follows && w.compacts && !seen.committed.IsZero(): // a compaction may come before the stream has sent the late records
			w.tally["events sent again because of a compaction"]++
		case !seen.committed.IsZero() && seen.committed.Before(began) && seen.lineage == w.journals[webhookStream].resets:
			w.fail("%s sends event %v again, which was committed at %s, before its cycle began at %s",
				p.name, id, stamp(seen.committed), stamp(began))
		default:
			w.tally["events sent again"]++
		}
	}
	if before, ok := w.receiver.batches[batch]; ok && fmt.Sprint(before) != fmt.Sprint(ids) {
		w.fail("batch %s had the events %v and now has %v", batch, before, ids)
	}
	w.receiver.batches[batch] = ids
}

// eventOf reads a line's event id.
func eventOf(line string) (id identity, err error) {
	rest, ok := strings.CutPrefix(line, `{"event_id":"`+tenant+"/")
	text, _, closed := strings.Cut(rest, `"`)
	number, micros, two := strings.Cut(text, "/")
	if !ok || !closed || !two {
		return id, fmt.Errorf("no event id of the tenant %s", tenant)
	}
	if id.id, err = strconv.ParseInt(number, 10, 64); err != nil {
		return id, err
	}
	id.micros, err = strconv.ParseInt(micros, 10, 64)
	return id, err
}
