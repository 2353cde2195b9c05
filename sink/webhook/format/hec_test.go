package format_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/sink/sinktest"
	"github.com/houndtrail/houndtrail/sink/webhook/format"
)

// readHEC reads envelopes. It takes only the seven keys that Splunk knows.
func readHEC(t *testing.T) func([]byte) []entry {
	decimal := regexp.MustCompile(`^-?\d+\.\d{6}$`)
	return func(body []byte) (all []entry) {
		d := json.NewDecoder(bytes.NewReader(body))
		for {
			var one json.RawMessage
			if err := d.Decode(&one); errors.Is(err, io.EOF) {
				return all
			} else if err != nil {
				t.Fatal(err)
			}
			var envelope struct {
				Time       json.Number       `json:"time"`
				Host       string            `json:"host"`
				Source     string            `json:"source"`
				Sourcetype string            `json:"sourcetype"`
				Index      string            `json:"index"`
				Event      json.RawMessage   `json:"event"`
				Fields     map[string]string `json:"fields"`
			}
			strict(t, one, &envelope)
			seconds, ok := new(big.Rat).SetString(envelope.Time.String())
			if !decimal.MatchString(envelope.Time.String()) || !ok || envelope.Host != tenant || envelope.Source != "houndtrail" {
				t.Fatalf("%+v", envelope)
			}
			micros := new(big.Rat).Mul(seconds, big.NewRat(1e6, 1)).Num().Int64()
			all = append(all, entry{envelope.Fields["event_id"], time.UnixMicro(micros), string(envelope.Event) + "\n"})
		}
	}
}

// If an index is set, the envelope has the seven keys, and no other.
func TestHECEnvelope(t *testing.T) {
	t.Parallel()
	f := build(t, format.SplunkHEC, format.Options{HEC: format.HECOptions{Index: `se"curity`, Sourcetype: "bloodhound:audit"}})
	r := sinktest.Parse(t, `{"id":123,"created_at":"2026-01-15T12:34:56.123456Z","fields":{"time":1}}`)
	want := `{"time":1768480496.123456,"host":"acme","source":"houndtrail","sourcetype":"bloodhound:audit","index":"se\"curity",` +
		`"event":{"event_id":"acme/123/1768480496123456","tenant":"acme","id":123,"created_at":"2026-01-15T12:34:56.123456Z","fields":{"time":1}},` +
		`"fields":{"event_id":"acme/123/1768480496123456"}}` + "\n"
	if got := string(f.Append(nil, &r)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// hecReadings are answers of HEC to a batch of three.
func hecReadings(success format.Class) map[string]reading {
	code := func(n int, more string) string { return fmt.Sprintf(`{"text":"Some text","code":%d%s}`, n, more) }
	number := func(n int) string { return fmt.Sprintf(`,"invalid-event-number":%d`, n) }
	without := func(n int) map[int]format.Class {
		items := map[int]format.Class{0: format.Retry, 1: format.Retry, 2: format.Retry}
		items[n] = format.Narrow
		return items
	}
	const ack = `,"ackId":7`
	readings := map[string]reading{
		"success":               {200, code(0, ack), success, nil, ""},
		"queue near its end":    {200, code(24, ack), success, nil, ""},
		"acks near their end":   {200, code(25, ack), success, nil, ""},
		"success with 503":      {503, code(0, ack), format.Retry, nil, ""},
		"unknown code with 200": {200, code(99, ""), format.Unexpected, nil, "no answer of Splunk's HEC"},
		"unknown code with 503": {503, code(99, ""), format.Retry, nil, ""},
		"no code":               {200, `{"text":"Success"}`, format.Unexpected, nil, "does not have the code"},
		"code as text":          {200, `{"code":"0"}`, format.Unexpected, nil, ""},
		"a page":                {200, page, format.Unexpected, nil, "HTML page"},
		"page with 400":         {400, page, format.Narrow, nil, ""},
		"first":                 {400, code(6, number(0)), format.Retry, without(0), "code 6, <SOME TEXT>"},
		"last":                  {400, code(12, number(2)), format.Retry, without(2), ""},
		"blank":                 {400, code(13, number(1)), format.Retry, without(1), ""},
		"fields":                {400, code(15, number(1)), format.Retry, without(1), ""},
		"out of range":          {400, code(6, number(3)), format.Narrow, nil, ""},
		"negative":              {400, code(6, number(-1)), format.Narrow, nil, ""},
		"no number":             {400, code(6, ""), format.Narrow, nil, ""},
		"index, one too high":   {400, code(7, number(1)), format.Stop, nil, "HOUNDTRAIL_WEBHOOK_HEC_INDEX"},
	}
	for n, says := range map[int]string{
		1: "disabled", 2: "no token arrives", 3: "Splunk <token>", 4: "does not know the token", 5: "not in /raw", 10: "the channel",
		11: "the channel", 14: "no indexer acknowledgment", 16: "take it out of", 17: "health endpoint", 21: "", 22: "", 28: "the channel",
	} {
		status := map[int]int{1: 403, 2: 401, 3: 401, 4: 403, 17: 200}[n]
		if status == 0 {
			status = 400
		}
		readings[fmt.Sprint("code ", n)] = reading{status, code(n, ""), format.Stop, nil, says}
	}
	for n, status := range map[int]int{8: 500, 9: 503, 18: 503, 19: 503, 20: 503, 23: 503, 26: 429, 27: 429} {
		readings[fmt.Sprint("code ", n)] = reading{status, code(n, ""), format.Retry, nil, ""}
	}
	return readings
}

func TestHECReads(t *testing.T) {
	t.Parallel()
	f := build(t, format.SplunkHEC, format.Options{})
	read(t, f, hecReadings(format.OK))
	acks := build(t, format.SplunkHEC, format.Options{HEC: format.HECOptions{Ack: true}})
	read(t, acks, hecReadings(format.Pending))
	read(t, acks, map[string]reading{
		"no ackId": {200, `{"text":"Success","code":0}`, format.Stop, nil, "unset HOUNDTRAIL_WEBHOOK_HEC_ACK"},
	})
	taken := answer(200, "", `{"text":"Success","code":24,"ackId":0}`)
	if v := f.Read(taken, two); !v.Slow {
		t.Error("24 slows nothing down")
	}
	if v := acks.Read(taken, two); !v.Slow || v.Ack != "0" {
		t.Errorf("%+v", v)
	}
}

func TestHECReadsBySize(t *testing.T) {
	t.Parallel()
	f := build(t, format.SplunkHEC, format.Options{})
	for _, test := range []struct {
		records, bytes, number int
		class                  format.Class
	}{
		{3, 5<<20 + 1, 0, format.Split},
		{3, 5 << 20, 0, format.Retry},
		{3, 6_000_000, 3, format.Narrow},
		{3, 6_000_000, 1, format.Retry},
		{1, 6_000_000, 0, format.Split},
		{1, 400, 0, format.Narrow},
	} {
		v := f.Read(answer(400, "", fmt.Sprintf(`{"code":6,"invalid-event-number":%d}`, test.number)),
			format.Batch{Records: test.records, Bytes: test.bytes})
		if v.Class != test.class {
			t.Errorf("%+v: %s", test, class(v.Class))
		}
	}
}

// For users who know that their receiver is Splunk, Houndtrail does not send the events before the bad one again.
func TestHECResumes(t *testing.T) {
	t.Parallel()
	read(t, build(t, format.SplunkHEC, format.Options{HEC: format.HECOptions{Resume: true}}), map[string]reading{
		"first":  {400, `{"code":6,"invalid-event-number":0}`, format.Retry, map[int]format.Class{0: format.Narrow, 1: format.Retry, 2: format.Retry}, ""},
		"middle": {400, `{"code":6,"invalid-event-number":1}`, format.Retry, map[int]format.Class{1: format.Narrow, 2: format.Retry}, ""},
		"last":   {400, `{"code":6,"invalid-event-number":2}`, format.Retry, map[int]format.Class{2: format.Narrow}, ""},
	})
}

// Each batch has another channel. It is the same for each attempt, and another one for each round.
func TestHECChannels(t *testing.T) {
	t.Parallel()
	form, seen := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`), map[string]bool{}
	f := build(t, format.SplunkHEC, format.Options{})
	for _, b := range []format.Batch{{ID: two.ID}, {ID: two.ID, Round: 1}, {ID: two.ID, Round: 11}, {ID: strings.Repeat("0", 32)}} {
		headers := f.Headers(b)
		if len(headers) != 1 || headers[0].Name != "X-Splunk-Request-Channel" || !form.MatchString(headers[0].Value) ||
			seen[headers[0].Value] || f.Headers(b)[0] != headers[0] {
			t.Errorf("%+v has %v", b, headers)
		}
		seen[headers[0].Value] = true
	}
}

func TestHECPolls(t *testing.T) {
	t.Parallel()
	f, ok := build(t, format.SplunkHEC, format.Options{HEC: format.HECOptions{Ack: true}}).(format.Acknowledger)
	if _, asks := build(t, format.SplunkHEC, format.Options{}).(format.Acknowledger); !ok || asks {
		t.Fatal("the format asks if it is not told to, or does not ask if it is")
	}
	for _, path := range []string{"/services/collector", "/services/collector/event", "/services/collector/event/1.0", "/services/collector/"} {
		to, question := f.Poll(&url.URL{Scheme: "https", Host: "hec.example", Path: path}, "7")
		if to.String() != "https://hec.example/services/collector/ack" || string(question) != `{"acks":[7]}` {
			t.Errorf("%s: %s %s", path, to, question)
		}
	}
	for said, want := range map[string]format.Class{
		`200 {"acks":{"7":true}}`: format.OK, `200 {"acks":{"7":false}}`: format.Pending, `200 {"acks":{"8":true}}`: format.Pending,
		`200 {"acks":{}}`: format.Pending, `503 {"acks":{"7":true}}`: format.Retry, `200 ` + page: format.Retry, `200 `: format.Retry,
		`400 {"text":"ACK is disabled","code":14}`: format.Stop, `403 {"text":"Invalid token","code":4}`: format.Stop,
		`503 {"text":"Server is busy","code":9}`: format.Retry, `502 `: format.Retry, `404 `: format.Stop, `200 {"code":0}`: format.Retry,
	} {
		status, body, _ := strings.Cut(said, " ")
		n := 0
		_, _ = fmt.Sscan(status, &n)
		if v := f.Polled(answer(n, "", body), "7"); v.Class != want {
			t.Errorf("%s: %s", said, class(v.Class))
		}
	}
}
