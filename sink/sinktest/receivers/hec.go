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
	Disabled bool     // the token is
	Indexes  []string // that the token may write to; the first one is its default
	Acks     bool     // the token uses indexer acknowledgment
	Cloud    bool     // Splunk Cloud: other limits, and another code for a missing channel
	// Indexing is the time until an accepted event can be found, and until its acknowledgment is true. Measured: about a second.
	Indexing time.Duration
	// Trouble, if set, is the code to answer to post number n, which is 1 for the first; 0 to judge the post as usual. With 8, 24
	// and 25 the events are taken. It is called one post at a time.
	Trouble func(n int) int
	// Refuse, if set, is the code with which an event is refused; 0 to take it.
	Refuse func(Event) int
}

// cloudBody is the largest body that Splunk Cloud takes, in bytes before compression. Measured: a larger one is code 6 at event 0.
const cloudBody = 5 << 20

// largestEvent is the most bytes of one event. Reported: a larger one is code 6 for its whole batch.
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
	ids  []time.Time // of each id, when its events were accepted
	told map[int]bool
}

// NewHEC makes a receiver without events.
func NewHEC(o HECOptions) *HEC {
	if len(o.Indexes) == 0 {
		o.Indexes = []string{"main"}
	}
	return &HEC{options: o, channels: map[string]*channel{}}
}

// ServeHTTP answers the four endpoints. Documented: the two event endpoints, acknowledgment and health; other paths are 404.
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
	if errors.Is(err, errEncoding) { // measured: deflate is 415 with a page
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

// take judges the events of a post. Measured: the events before a bad one are indexed, and none from it on.
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

// refuseToken checks the credentials; 0 if they are in order. Measured: a token in the query is refused unless that is switched on.
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

// Events are the events that can be found by now, in the order of their arrival. An event that was sent twice is there twice.
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

// Posts is how many posts of events came, refused ones as well.
func (h *HEC) Posts() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.posts
}

// Channels are the names of the channels that were used since the start.
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

// Restart ends the process and starts another one. Documented: a 200 comes before the indexing pipeline. So what cannot be found
// yet is lost, and so are the channels.
func (h *HEC) Restart() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.accepted = slices.DeleteFunc(h.accepted, func(a accepted) bool { return time.Since(a.at) < h.options.Indexing })
	h.channels = map[string]*channel{}
}

// A field is one more key of an answer.
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
