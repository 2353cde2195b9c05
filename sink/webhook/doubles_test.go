package webhook_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/sinktest"
	"github.com/houndtrail/houndtrail/sink/sinktest/receivers"
	"github.com/houndtrail/houndtrail/sink/webhook"
	"github.com/houndtrail/houndtrail/sink/webhook/authorize"
	"github.com/houndtrail/houndtrail/sink/webhook/format"
)

// These tests deliver to doubles of receivers that one cannot install: see package receivers.

const hecToken = "11111111-2222-3333-4444-555555555555"

func toHEC(t *testing.T, h *receivers.HEC, ack bool) *webhook.Sink {
	t.Helper()
	return newSink(t, webhook.Options{
		URL: "https://hec.example:8088", Format: format.SplunkHEC, InFlight: 4, Transport: receivers.Direct(h),
		HEC:           format.HECOptions{Sourcetype: "bloodhound:audit", Ack: ack},
		Authorization: func() (string, error) { return "Splunk " + hecToken, nil },
	})
}

// An azure is the Logs Ingestion API with its token endpoint.
type azure struct {
	tokens   *receivers.Tokens
	sentinel *receivers.Sentinel
}

func newAzure(o receivers.SentinelOptions, life time.Duration) *azure {
	const text = "string"
	o.Tokens = receivers.NewTokens(receivers.TokensOptions{
		Directory: "dir", Client: "client", Secret: "client-SECRET", Scope: "https://monitor.azure.com//.default", Life: life,
	})
	o.Rule, o.Stream = "dcr-1", "Custom-BloodHoundAudit"
	o.Columns = map[string]string{
		"TimeGenerated": "datetime", "CreatedAt": "datetime", "RecordId": "long", "Fields": "dynamic", "EventId": text, "Tenant": text,
		"ActorId": text, "ActorName": text, "ActorEmail": text, "Action": text, "Status": text, "RequestId": text, "SourceIpAddress": text,
		"CommitId": text, "StartedAt": "datetime", "DurationMs": "real", "Unpaired": "boolean",
	}
	return &azure{o.Tokens, receivers.NewSentinel(o)}
}

func (a *azure) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Host == "login.example" {
		a.tokens.ServeHTTP(w, r)
		return
	}
	a.sentinel.ServeHTTP(w, r)
}

func (a *azure) sink(t *testing.T, inFlight int) *webhook.Sink {
	t.Helper()
	return newSink(t, webhook.Options{
		URL:    "https://dce.example/dataCollectionRules/dcr-1/streams/Custom-BloodHoundAudit",
		Format: format.Sentinel, InFlight: inFlight, BatchRecords: 1000, Transport: receivers.Direct(a),
		OAuth: &authorize.OAuthOptions{
			TokenURL: "https://login.example/dir/oauth2/v2.0/token", Client: "client", Scope: "https://monitor.azure.com//.default",
			Secret: func() (string, error) { return "client-SECRET", nil },
		},
	})
}

// arrived checks that each record is there, and that at most so many records are there twice.
func arrived(t *testing.T, rs []record.Record, ids []string, doubles int) {
	t.Helper()
	times := map[string]int{}
	for _, id := range ids {
		times[id]++
	}
	missing := 0
	for i := range rs {
		if times[ndjson.EventID(tenant, &rs[i])] == 0 {
			missing++
		}
	}
	if twice := len(ids) - len(times); missing > 0 || len(times) != len(rs) || twice > doubles {
		t.Errorf("%d of %d records are missing, %d others came, %d came twice", missing, len(rs), len(times)+missing-len(rs), twice)
	}
}

func hecIDs(h *receivers.HEC) (ids []string) {
	for _, e := range h.Events() {
		ids = append(ids, fmt.Sprint(e.Fields["event_id"]))
	}
	return ids
}

func (a *azure) ids(t *testing.T) (ids []string) {
	t.Helper()
	for _, r := range a.sentinel.Rows() {
		ids = append(ids, fmt.Sprint(r["EventId"]))
	}
	if dropped, cut := a.sentinel.Silent(); len(dropped) > 0 || cut > 0 {
		t.Errorf("the receiver threw away %v in silence, and cut %d values", dropped, cut)
	}
	return ids
}

// Splunk refuses one of 10,000 records. The error names this record. After Splunk takes it, no record is missing.
func TestHECRefusesOneRecord(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rs := records(t, 10_000)
		poison, mended := ndjson.EventID(tenant, &rs[4321]), false
		h := receivers.NewHEC(receivers.HECOptions{Token: hecToken, Refuse: func(e receivers.Event) int {
			if e.Fields["event_id"] == poison && !mended {
				return 6
			}
			return 0
		}})
		s := toHEC(t, h, false)
		_, err := sinktest.Write(t.Context(), s, windowOf(rs), rs)
		wants(t, err, "event "+poison+" of ", "code 6, Invalid data format")
		if h.Posts() > 12 {
			t.Errorf("%d posts for the record that is refused", h.Posts())
		}
		mended = true
		if _, err := sinktest.Write(t.Context(), s, windowOf(rs), rs); err != nil {
			t.Fatal(err)
		}
		arrived(t, rs, hecIDs(h), 999) // the part of the batch before the refused record comes twice
	})
}

// Azure refuses the whole call for one of 10,000 records, and does not say which one. Tokens end during the delivery, before and
// after the time that they name.
func TestSentinelRefusesOneRecord(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rs := records(t, 10_000)
		poison, mended := ndjson.EventID(tenant, &rs[4321]), false
		var a *azure
		a = newAzure(receivers.SentinelOptions{
			Refuse: func(r receivers.Row) bool { return r["EventId"] == poison && !mended },
			Trouble: func(n int) int {
				switch n {
				case 3, 11:
					a.tokens.Revoke()
				case 5:
					return 429
				case 6, 7:
					time.Sleep(50 * time.Minute) // first past 80% of the token's life, then past its end
				}
				return 0
			},
		}, time.Hour)
		s := a.sink(t, 1)
		_, err := sinktest.Write(t.Context(), s, windowOf(rs), rs)
		wants(t, err, "event "+poison+" of ", "400 Bad Request", "find out at the receiver, by the event id")
		mended = true
		if _, err := sinktest.Write(t.Context(), s, windowOf(rs), rs); err != nil {
			t.Fatal(err)
		}
		arrived(t, rs, a.ids(t), 0)
		if a.tokens.Asked() < 3 {
			t.Errorf("%d tokens", a.tokens.Asked())
		}
	})
}

// After a second refusal of the token, people have to act. No error shows the token or the client's secret.
func TestSentinelRefusesTheToken(t *testing.T) {
	t.Parallel()
	for status, posts := range map[int]int{401: 2, 403: 1} {
		a := newAzure(receivers.SentinelOptions{Trouble: func(int) int { return status }}, time.Hour)
		rs := records(t, 10)
		_, err := sinktest.Write(t.Context(), a.sink(t, 1), windowOf(rs), rs)
		leaks(t, err, "token-")
		if a.sentinel.Posts() != posts || a.tokens.Asked() != posts || strings.Contains(err.Error(), "token-1") {
			t.Errorf("%d: %d posts with %d tokens, and %v", status, a.sentinel.Posts(), a.tokens.Asked(), err)
		}
	}
}

// If a token endpoint is out of order, the sink waits for it, as for a receiver. People have to mend a secret that it refuses.
func TestSentinelWithoutAToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for name, test := range map[string]struct {
			statuses []int
			says     string
		}{
			"busy": {[]int{503, 429, 429, 0}, ""}, "refuses": {[]int{400}, "HOUNDTRAIL_WEBHOOK_OAUTH_CLIENT_SECRET"},
		} {
			a, n := newAzure(receivers.SentinelOptions{}, time.Hour), 0
			a.tokens = receivers.NewTokens(receivers.TokensOptions{
				Directory: "dir", Client: "client", Secret: "client-SECRET", Scope: "https://monitor.azure.com//.default", Life: time.Hour,
				Trouble: func(int) int { n++; return test.statuses[min(n, len(test.statuses))-1] },
			})
			a.sentinel = receivers.NewSentinel(receivers.SentinelOptions{Tokens: a.tokens, Rule: "dcr-1", Stream: "Custom-BloodHoundAudit"})
			rs := records(t, 10)
			_, err := sinktest.Write(t.Context(), a.sink(t, 1), windowOf(rs), rs)
			if test.says == "" && err != nil || len(a.sentinel.Rows()) != map[bool]int{true: 10}[test.says == ""] {
				t.Errorf("%s: %v", name, err)
			}
			if test.says != "" {
				wants(t, err, test.says)
				if strings.Contains(err.Error(), "client-SECRET") {
					t.Errorf("the secret is in %v", err)
				}
			}
		}
	})
}

// A batch is delivered when Splunk has indexed it, and not before.
func TestHECAcknowledges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := receivers.NewHEC(receivers.HECOptions{Token: hecToken, Acks: true, Indexing: time.Second})
		rs, began := records(t, 5000), time.Now()
		if _, err := sinktest.Write(t.Context(), toHEC(t, h, true), windowOf(rs), rs); err != nil {
			t.Fatal(err)
		}
		arrived(t, rs, hecIDs(h), 0)
		if took := time.Since(began); took < time.Second || took > 20*time.Second {
			t.Errorf("took %s", took)
		}
	})
}

// Splunk restarts, and loses events that it has taken but not indexed. So its 200 was no proof.
func TestHECRestarts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := receivers.NewHEC(receivers.HECOptions{Token: hecToken, Acks: true, Indexing: 3 * time.Second})
		rs := records(t, 5000)
		time.AfterFunc(2*time.Second, h.Restart)
		time.AfterFunc(5*time.Minute+2*time.Second, h.Restart) // a second restart, while the sink sends batches again
		if _, err := sinktest.Write(t.Context(), toHEC(t, h, true), windowOf(rs), rs); err != nil {
			t.Fatal(err)
		}
		arrived(t, rs, hecIDs(h), 0)
		if h.Posts() <= 10 {
			t.Errorf("%d posts: the restarts came too late", h.Posts())
		}
	})
}

// If acknowledgements never come, the stream stops, and does not double its records for ever.
func TestHECNeverAcknowledges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		indexing := receivers.HECOptions{Token: hecToken, Acks: true, Indexing: 1000 * time.Hour}
		h := receivers.NewHEC(indexing)
		front := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(w, r) })
		s := newSink(t, webhook.Options{
			URL: "https://hec.example:8088", Format: format.SplunkHEC, Transport: receivers.Direct(front), HEC: format.HECOptions{Ack: true},
			Authorization: func() (string, error) { return "Splunk " + hecToken, nil },
		})
		rs := records(t, 10)
		for cycle, posts := range []int{4, 5, 6} {
			_, err := sinktest.Write(t.Context(), s, windowOf(rs), rs)
			wants(t, err, "never said that it has stored it", "sticky sessions")
			if h.Posts() != posts || cycle == 0 && len(h.Channels()) != 4 {
				t.Errorf("cycle %d: %d posts on the channels %v", cycle, h.Posts(), h.Channels())
			}
		}
		indexing.Indexing = time.Second
		h = receivers.NewHEC(indexing)
		if _, err := sinktest.Write(t.Context(), s, windowOf(rs), rs); err != nil {
			t.Fatal(err)
		}
		arrived(t, rs, hecIDs(h), 0)
	})
}

// A token without acknowledgment would say nothing about the index.
func TestHECHasNoAcknowledgment(t *testing.T) {
	t.Parallel()
	h := receivers.NewHEC(receivers.HECOptions{Token: hecToken})
	rs := records(t, 10)
	_, err := sinktest.Write(t.Context(), toHEC(t, h, true), windowOf(rs), rs)
	wants(t, err, "switch it on in the token's settings", "HOUNDTRAIL_WEBHOOK_HEC_ACK")
}

// Splunk is in trouble. The sink does not send the records again that Splunk takes, and sends all others again.
func TestHECInTrouble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		codes := []int{9, 26, 27, 23, 24, 25, 0, 24, 9}
		h := receivers.NewHEC(receivers.HECOptions{Token: hecToken, Trouble: func(n int) int {
			if n > len(codes) {
				return 0
			}
			return codes[n-1]
		}})
		rs := records(t, 10_000)
		if _, err := sinktest.Write(t.Context(), toHEC(t, h, false), windowOf(rs), rs); err != nil {
			t.Fatal(err)
		}
		arrived(t, rs, hecIDs(h), 0)
	})
}

// Splunk Cloud takes 5 MiB. If a batch is larger, it says that the first event is bad.
func TestHECOfCloud(t *testing.T) {
	t.Parallel()
	h := receivers.NewHEC(receivers.HECOptions{Token: hecToken, Cloud: true})
	s := newSink(t, webhook.Options{
		URL: "https://http-inputs-acme.splunkcloud.com", Format: format.SplunkHEC, Transport: receivers.Direct(h), BatchRecords: 100_000,
		BatchBytes: 64 << 20, Authorization: func() (string, error) { return "Splunk " + hecToken, nil },
	})
	rs := records(t, 20_000)
	if _, err := sinktest.Write(t.Context(), s, windowOf(rs), rs); err != nil {
		t.Fatal(err)
	}
	arrived(t, rs, hecIDs(h), 0)
}
