package receivers_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/houndtrail/houndtrail/sink/sinktest/receivers"
)

const (
	token    = "11111111-2222-3333-4444-555555555555"
	channelA = "aaaaaaaa-2222-3333-4444-555555555555"
	channelB = "bbbbbbbb-2222-3333-4444-555555555555"
)

// A hecAnswer is an answer of HEC.
type hecAnswer struct {
	Status int             `json:"-"`
	Code   int             `json:"code"`
	Number *int            `json:"invalid-event-number"`
	AckID  *int            `json:"ackId"`
	Acks   map[string]bool `json:"acks"`
}

// ask posts a body. headers are "Name: value". A later one replaces an earlier one.
func ask(t *testing.T, h http.Handler, path, body string, headers ...string) hecAnswer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://hec.example"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range append([]string{"Authorization: Splunk " + token}, headers...) {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	resp, err := receivers.Direct(h).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	a := hecAnswer{Code: -1}
	if resp.Header.Get("Content-Type") == "application/json" {
		if err := json.NewDecoder(resp.Body).Decode(&a); err != nil {
			t.Fatal(err)
		}
	}
	a.Status = resp.StatusCode
	return a
}

const good = `{"time":1768480496.123456,"host":"acme","event":{"a":1},"fields":{"event_id":"x"}}`

func TestHECRules(t *testing.T) {
	t.Parallel()
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write([]byte(good))
	_ = z.Close()
	large := `{"event":"` + strings.Repeat("x", 5_000_000) + `"}`
	acks, cloud := receivers.HECOptions{Acks: true}, receivers.HECOptions{Acks: true, Cloud: true}
	for name, test := range map[string]struct {
		options receivers.HECOptions
		path    string
		body    string
		headers []string
		status  int
		code    int
		number  int // plus one; 0 means none
		stored  int
	}{
		"success":              {body: good + "\n" + good, status: 200, stored: 2},
		"without a separator":  {body: good + good, status: 200, stored: 2},
		"array":                {body: "[" + good + "," + good + "]", status: 200, stored: 2},
		"short path":           {path: "/services/collector", body: good, status: 200, stored: 1},
		"gzip":                 {body: zipped.String(), headers: []string{"Content-Encoding: gzip"}, status: 200, stored: 1},
		"deflate":              {body: good, headers: []string{"Content-Encoding: deflate"}, status: 415, code: -1},
		"other path":           {path: "/services/collector/other", body: good, status: 404, code: -1},
		"disabled":             {options: receivers.HECOptions{Disabled: true}, body: good, status: 403, code: 1},
		"no token":             {body: good, headers: []string{"Authorization: "}, status: 401, code: 2},
		"bearer":               {body: good, headers: []string{"Authorization: Bearer " + token}, status: 401, code: 3},
		"unknown token":        {body: good, headers: []string{"Authorization: Splunk no"}, status: 403, code: 4},
		"token in the query":   {path: "/services/collector/event?token=" + token, body: good, status: 400, code: 16},
		"empty":                {body: "", status: 400, code: 5},
		"empty array":          {body: "[]", status: 400, code: 5},
		"unknown key alone":    {body: `{"event":"a","id":1}`, status: 400, code: 5},
		"unknown key later":    {body: good + `{"event":"a","id":1}` + good, status: 200, stored: 1},
		"bad JSON":             {body: good + good + `{"event":` + good[:20], status: 400, code: 6, number: 3, stored: 2},
		"bad JSON in an array": {body: "[" + good + ",{]", status: 400, code: 6, number: 2, stored: 1},
		"large event":          {body: good + large + good, status: 400, code: 6, number: 2, stored: 1},
		"other index":          {body: good + `{"event":"a","index":"other"}`, status: 400, code: 7, number: 3, stored: 1},
		"no event":             {body: good + `{"time":1}`, status: 400, code: 12, number: 2, stored: 1},
		"null event":           {body: `{"event":null}`, status: 400, code: 13, number: 1},
		"blank event":          {body: `{"event":""}`, status: 400, code: 13, number: 1},
		"number in fields":     {body: `{"event":"a","fields":{"n":1}}`, status: 400, code: 15, number: 1},
		"list in fields":       {body: `{"event":"a","fields":{"n":["1","2"]}}`, status: 200, stored: 1},
		"exponent":             {body: `{"event":"a","time":1.75e9}`, status: 400, code: 15, number: 1},
		"no channel":           {options: acks, body: good, status: 400, code: 10},
		"bad channel":          {options: acks, body: good, headers: []string{"X-Splunk-Request-Channel: no"}, status: 400, code: 11},
		"no channel in Cloud":  {options: cloud, body: good, status: 400, code: 28},
		"large body in Cloud": {
			options: receivers.HECOptions{Cloud: true}, body: strings.Repeat(good, 5<<20/len(good)+1), status: 400, code: 6, number: 1,
		},
		"acks are off": {path: "/services/collector/ack", body: `{"acks":[0]}`, status: 400, code: 14},
		"health":       {path: "/services/collector/health", status: 200, code: 17},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.options.Token = token
			h := receivers.NewHEC(test.options)
			if test.path == "" {
				test.path = "/services/collector/event"
			}
			got := ask(t, h, test.path, test.body, test.headers...)
			number := 0
			if got.Number != nil {
				number = *got.Number + 1
			}
			if got.Status != test.status || got.Code != test.code || number != test.number {
				t.Errorf("answered %d with code %d and number %d", got.Status, got.Code, number-1)
			}
			if n := len(h.Events()); n != test.stored {
				t.Errorf("stored %d events, want %d", n, test.stored)
			}
		})
	}
}

// If a receiver is in trouble, its codes themselves say whether it took the events.
func TestHECTrouble(t *testing.T) {
	t.Parallel()
	for code, want := range map[int]struct{ status, stored int }{
		8: {500, 1}, 9: {503, 0}, 23: {503, 0}, 24: {200, 1}, 25: {200, 1}, 26: {429, 0}, 27: {429, 0},
	} {
		h := receivers.NewHEC(receivers.HECOptions{Token: token, Trouble: func(int) int { return code }})
		got := ask(t, h, "/services/collector/event", good)
		if got.Status != want.status || got.Code != code || len(h.Events()) != want.stored {
			t.Errorf("code %d: answered %d with code %d, and %d events", code, got.Status, got.Code, len(h.Events()))
		}
	}
}

func TestHECAcknowledgment(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := receivers.NewHEC(receivers.HECOptions{Token: token, Acks: true, Indexing: time.Second})
		on := func(channel string) string { return "X-Splunk-Request-Channel: " + channel }
		for i, channel := range []string{channelA, channelA, channelB} {
			want := []int{0, 1, 0}[i]
			if got := ask(t, h, "/services/collector/event", good, on(channel)); got.AckID == nil || *got.AckID != want {
				t.Fatalf("post %d has the id %v, want %d", i, got.AckID, want)
			}
		}
		acks := func(channel string) map[string]bool {
			return ask(t, h, "/services/collector/ack", `{"acks":[0,1]}`, on(channel)).Acks
		}
		if got := acks(channelA); got["0"] || got["1"] || len(h.Events()) != 0 {
			t.Errorf("acknowledged before the events can be found: %v", got)
		}
		time.Sleep(time.Second)
		if got := acks(channelB); !got["0"] || got["1"] {
			t.Errorf("channel B answers %v", got)
		}
		if got := acks(channelA); !got["0"] || !got["1"] || len(h.Events()) != 3 {
			t.Errorf("channel A answers %v, with %d events", got, len(h.Events()))
		}
		if got := acks(channelA); got["0"] || got["1"] {
			t.Errorf("channel A tells it a second time: %v", got)
		}
		ask(t, h, "/services/collector/event", good, on(channelA))
		h.Restart()
		time.Sleep(time.Second)
		if got := acks(channelA); len(h.Events()) != 3 || got["2"] {
			t.Errorf("an event outlived its process before it was indexed: %d events", len(h.Events()))
		}
	})
}
