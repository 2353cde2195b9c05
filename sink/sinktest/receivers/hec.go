package receivers

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// HECOptions describe a HEC receiver and its one token.
type HECOptions struct {
	Token    string
	Disabled bool     // the token is disabled
	Indexes  []string // to which the token may write; the first one is the default
	Acks     bool     // the token uses indexer acknowledgment
	Cloud    bool     // Splunk Cloud: other limits, and another code for a missing channel
	// Indexing is the time until a search finds an accepted event, and until the event's acknowledgment is true. Measured: about a
	// second.
	Indexing time.Duration
	// Trouble, if set, returns the code to answer to post number n, which is 1 for the first post. If it returns 0, HEC judges the
	// post as usual. With 8, 24 and 25, HEC takes the events. HEC calls it for one post at a time.
	Trouble func(n int) int
	// Refuse, if set, returns the code with which HEC refuses an event. If it returns 0, HEC takes the event.
	Refuse func(Event) int
}

// cloudBody is the largest body that Splunk Cloud takes, in bytes before compression. Measured: for a larger one it answers code 6
// at event 0.
const cloudBody = 5 << 20

// largestEvent is the size of the largest event in bytes. Reported: for a larger one, HEC answers code 6 to the whole batch.
const largestEvent = 5_000_000

// HEC is a double of Splunk's HTTP Event Collector. It is safe for concurrent use.
type HEC struct {
	options HECOptions

	mu       sync.Mutex
	posts    int
	accepted []accepted
	channels map[string]*channel
}

// accepted are the events of one post.
type accepted struct {
	events []Event
	at     time.Time
}

// A channel counts its own acknowledgment ids, from 0.
type channel struct {
	ids  []time.Time // for each id, the time when HEC accepted its events
	told map[int]bool
}

// NewHEC makes a receiver without events.
func NewHEC(o HECOptions) *HEC {
	if len(o.Indexes) == 0 {
		o.Indexes = []string{"main"}
	}
	return &HEC{options: o, channels: map[string]*channel{}}
}

// ServeHTTP answers the four endpoints. Documented: the two event endpoints, acknowledgment and health. Other paths are 404.
func (h *HEC) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch r.URL.Path {
	case "/services/collector", "/services/collector/event", "/services/collector/event/1.0":
		h.event(w, r)
	case "/services/collector/ack", "/services/collector/ack/1.0":
		h.ack(w, r)
	case "/services/collector/health", "/services/collector/health/1.0":
		say(w, codeHealthy)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func (h *HEC) event(w http.ResponseWriter, r *http.Request) {
	h.posts++
	if refused := h.refuseToken(r); refused != 0 {
		say(w, refused)
		return
	}
	if refused := h.refuseChannel(r); refused != 0 {
		say(w, refused)
		return
	}
	plain, _, err := body(r)
	if errors.Is(err, errEncoding) { // measured: the answer to deflate is 415 with a page
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusUnsupportedMediaType)
		_, _ = w.Write([]byte("<!doctype html><title>415 Unsupported Media Type</title>"))
		return
	}
	if err != nil {
		say(w, codeFormat)
		return
	}
	trouble := 0
	if h.options.Trouble != nil {
		trouble = h.options.Trouble(h.posts)
	}
	taken := trouble == 0 || trouble == codeInternal || trouble == codeQueueNear || trouble == codeAcksNear
	if !taken {
		say(w, trouble)
		return
	}
	h.take(w, r, plain, trouble)
}

// take judges the events of a post. Measured: Splunk indexes the events before a bad one, and no other event.
func (h *HEC) take(w http.ResponseWriter, r *http.Request, plain []byte, trouble int) {
	if h.options.Cloud && len(plain) > cloudBody {
		say(w, codeFormat, number(0))
		return
	}
	events, bad := h.parse(plain)
	if len(events) > 0 {
		h.accepted = append(h.accepted, accepted{events, time.Now()})
	}
	switch {
	case bad.code != 0 && bad.numbered:
		say(w, bad.code, number(bad.number))
	case bad.code != 0:
		say(w, bad.code)
	case trouble == codeInternal:
		say(w, trouble)
	case h.options.Acks:
		say(w, trouble, field{"ackId", h.acknowledgment(r)})
	default:
		say(w, trouble)
	}
}

// refuseToken checks the credentials. It returns 0 if they are in order. Measured: Splunk refuses a token in the query, unless its
// user has switched that on.
func (h *HEC) refuseToken(r *http.Request) int {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	switch {
	case r.URL.Query().Has("token"):
		return codeQueryToken
	case scheme == "":
		return codeNoToken
	case scheme != "Splunk" || token == "":
		return codeBadHeader
	case token != h.options.Token:
		return codeUnknownToken
	case h.options.Disabled:
		return codeDisabled
	default:
		return 0
	}
}

// Events returns the events that a search finds by now, in the order of their arrival. If a client sent an event twice, it is there
// twice.
func (h *HEC) Events() []Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	var found []Event
	for _, a := range h.accepted {
		if time.Since(a.at) >= h.options.Indexing {
			found = append(found, a.events...)
		}
	}
	return found
}

// Posts returns how many posts of events came, with those that HEC refused.
func (h *HEC) Posts() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.posts
}

// Channels returns the names of the channels that clients have used since the start.
func (h *HEC) Channels() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	names := make([]string, 0, len(h.channels))
	for name := range h.channels {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Restart ends the process and starts another one. Documented: a 200 comes before the indexing pipeline. So the events that a
// search does not find yet are lost, and so are the channels.
func (h *HEC) Restart() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.accepted = slices.DeleteFunc(h.accepted, func(a accepted) bool { return time.Since(a.at) < h.options.Indexing })
	h.channels = map[string]*channel{}
}

// A field is one additional key of an answer.
type field struct {
	name  string
	value any
}

func number(n int) field { return field{"invalid-event-number", n} }

// say answers with a code and its text.
func say(w http.ResponseWriter, code int, more ...field) {
	c := codes[code]
	content := map[string]any{"text": c.text, "code": code}
	for _, f := range more {
		content[f.name] = f.value
	}
	if c.text == "" {
		content["text"] = "code " + strconv.Itoa(code)
	}
	answerJSON(w, c.status, content)
}
