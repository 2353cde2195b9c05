package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/demo"
)

// website starts a web server that does not know BloodHound, at $WEBSITE.
func website(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: website")
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<!doctype html><html><head><title>Intranet</title></head><body>Welcome</body></html>")
	}))
	ts.Defer(server.Close)
	ts.Setenv("WEBSITE", strings.TrimPrefix(server.URL, "http://"))
}

// A siem takes batches as the demo's receiver does, unless a script tells it to do something else.
type siem struct {
	demo.Receiver
	mu     sync.Mutex
	refuse int    // an HTTP status; with 0 it takes the batch
	mood   string // see webhookCommand
	value  string // the value of the mood
}

// turn makes the receiver refuse every batch with a status, or gives it a mood.
func (s *siem) turn(refuse int, mood string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse, s.mood = refuse, mood
}

func (s *siem) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	refuse, mood, value := s.refuse, s.mood, s.value
	s.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the batch broke off
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	switch {
	case refuse != 0:
		http.Error(w, "not today", refuse)
	case mood == "page":
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<!doctype html><title>Sign in</title>")
	case mood == "busy":
		_, _ = io.WriteString(w, `{"text":"Server is busy","code":9}`)
	case mood == "later":
		w.Header().Set("Retry-After", value)
		http.Error(w, "maintenance", http.StatusServiceUnavailable)
	case mood == "stall":
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	case mood == "dislike" && holds(body, value):
		http.Error(w, "cannot read a line", http.StatusBadRequest)
	default:
		s.Receiver.ServeHTTP(w, r)
	}
}

// holds tells whether a batch has the record with that id.
func holds(body []byte, id string) bool {
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return false
	}
	text, err := io.ReadAll(z)
	return err == nil && bytes.Contains(text, []byte(`"event_id":"acme/`+id+`/`))
}

// webhookAuthorization is the header that the receiver wants. It is a secret.
const webhookAuthorization = "Bearer d2ViaG9vay1zZWNyZXQ"

// webhookCommand is a SIEM:
//
//	webhook start       turns the webhook stream on
//	webhook refuse 401  makes it answer 401; 0 ends this
//	webhook page        makes it answer with a 200 that is a web page
//	webhook busy        makes it answer with a 200 whose JSON says that it is busy
//	webhook later 3600  makes it answer 503 with that Retry-After
//	webhook stall       makes it answer with headers and nothing more
//	webhook dislike 7   makes it answer 400 to a batch with the record of that id
//	webhook like        ends these five
//	webhook heads N     fails unless it got N heads
//	webhook alarms N A  fails unless it got N alarms of that name, each once
//	webhook has N       fails unless it has every record of the log, N of them, each event id once
//	webhook lacks ID N  fails unless it has every record but the one of that id, N of them, each event id once
func webhookCommand(ts *testscript.TestScript, neg bool, args []string) {
	w := worldOf(ts)
	switch {
	case neg:
		ts.Fatalf("unsupported: ! webhook")
	case len(args) == 1 && args[0] == "start":
		w.siem = &siem{}
		server := httptest.NewServer(w.siem)
		ts.Defer(server.Close)
		ts.Setenv("HOUNDTRAIL_WEBHOOK_URL", server.URL+"/ingest")
		ts.Setenv("HOUNDTRAIL_WEBHOOK_AUTHORIZATION", webhookAuthorization)
		ts.Setenv("SIEM", strings.TrimPrefix(server.URL, "http://"))
		w.secrets = append(w.secrets, strings.TrimPrefix(webhookAuthorization, "Bearer "))
	case len(args) == 2 && args[0] == "refuse":
		w.siem.mu.Lock()
		defer w.siem.mu.Unlock()
		w.siem.refuse = number(ts, args[1])
	case len(args) > 0 && slices.Contains([]string{"page", "busy", "later", "stall", "dislike", "like"}, args[0]):
		w.siem.mu.Lock()
		defer w.siem.mu.Unlock()
		w.siem.mood, w.siem.value = args[0], strings.Join(args[1:], "")
	case len(args) == 2 && (args[0] == "has" || args[0] == "knows"), len(args) == 3 && args[0] == "lacks":
		events, _ := w.siem.Events()
		got := map[string]int{}
		for id, times := range events {
			if strings.Contains(id, "/houndtrail/") { // a head
				continue
			}
			_, id, _ = strings.Cut(id, "/") // the rest behind the tenant
			if args[0] == "knows" {         // an event may have come twice
				times = 1
			}
			got[id] += times
		}
		if args[0] == "lacks" {
			lacks(ts, w, got, number(ts, args[1]))
			args = []string{"has", strconv.Itoa(number(ts, args[2]) + 1)}
		}
		compareIDs(ts, w, got, number(ts, args[1]))
	case len(args) == 2 && args[0] == "heads":
		events, _ := w.siem.Events()
		heads := 0
		for id := range events {
			if strings.HasPrefix(id, "acme/houndtrail/") && !strings.Contains(id, "/alarm/") {
				heads++
			}
		}
		if want := number(ts, args[1]); heads != want {
			ts.Fatalf("the receiver was told %d heads, want %d", heads, want)
		}
	case len(args) == 3 && args[0] == "alarms":
		w.siem.alarms(ts, args[2], number(ts, args[1]))
	default:
		ts.Fatalf("usage: webhook start | refuse STATUS | page | busy | later SECONDS | stall | dislike ID | like | has N | knows N | " +
			"lacks ID N | heads N | alarms N NAME")
	}
}

// alarms checks that so many alarms of a name came, each once.
func (s *siem) alarms(ts *testscript.TestScript, name string, want int) {
	events, _ := s.Events()
	got := 0
	for id, times := range events {
		if strings.Contains(id, "/alarm/"+name+"/") {
			got += times
		}
	}
	if got != want {
		ts.Fatalf("the receiver got %d alarms %s, want %d: %v", got, name, want, events)
	}
}

// lacks checks that the receiver has no record of that id, and adds the record to those that it has.
func lacks(ts *testscript.TestScript, w *world, got map[string]int, id int) {
	for _, row := range w.server.Rows() {
		if row.ID != int64(id) {
			continue
		}
		key := fmt.Sprintf("%d/%d", row.ID, row.CreatedAt.UnixMicro())
		if got[key] > 0 {
			ts.Fatalf("the receiver has record %d", id)
		}
		got[key] = 1
	}
}

// letter sets $LETTER to the event id of a record, and $RECORD to its id. The record is the one of an id, or the newest one.
func letter(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: letter ID|newest")
	}
	rows := worldOf(ts).server.Rows()
	for i, row := range rows {
		if args[0] == "newest" && i == len(rows)-1 || args[0] != "newest" && row.ID == int64(number(ts, args[0])) {
			ts.Setenv("LETTER", fmt.Sprintf("acme/%d/%d", row.ID, row.CreatedAt.UnixMicro()))
			ts.Setenv("RECORD", strconv.FormatInt(row.ID, 10))
		}
	}
}

// compareIDs checks that the receiver got each readable record of the log exactly once, and that want is their number. The keys of
// got are the ids and times of records, since a restored database can give an id to another record.
func compareIDs(ts *testscript.TestScript, w *world, got map[string]int, want int) {
	var lost, twice int
	for _, row := range w.server.Rows() {
		if row.Unprintable || row.ID < 1 {
			continue
		}
		switch got[fmt.Sprintf("%d/%d", row.ID, row.CreatedAt.UnixMicro())] {
		case 0:
			lost++
		case 1:
		default:
			twice++
		}
	}
	if lost > 0 || twice > 0 || len(got) != want {
		ts.Fatalf("%d ids delivered, want %d; of the %d records in the log %d are lost and %d came twice",
			len(got), want, len(w.server.Rows()), lost, twice)
	}
	fmt.Fprintf(ts.Stdout(), "%d records, each once\n", len(got))
}

func number(ts *testscript.TestScript, text string) int {
	n, err := strconv.Atoi(text)
	ts.Check(err)
	return n
}

func duration(ts *testscript.TestScript, text string) time.Duration {
	d, err := time.ParseDuration(text)
	ts.Check(err)
	return d
}
