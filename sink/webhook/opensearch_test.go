package webhook_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/sinktest"
	"github.com/houndtrail/houndtrail/sink/sinktest/servers"
	"github.com/houndtrail/houndtrail/sink/webhook"
	"github.com/houndtrail/houndtrail/sink/webhook/format"
)

var (
	openSearch     = flag.String("opensearch", "", "folder of OpenSearch's jars, as .ci/receivers makes it")
	openSearchJava = flag.String("opensearch.java", "java", "Java for OpenSearch")
)

// A search is an OpenSearch with the index template of the deploy folder.
type search struct{ *servers.Search }

func newSearch(t *testing.T, largest string) search {
	t.Helper()
	if *openSearch == "" {
		t.Skip("NOT TESTED against OpenSearch: run bash .ci/receivers")
	}
	s := search{servers.OpenSearch(t, *openSearchJava, *openSearch, largest)}
	template, err := os.ReadFile("../../deploy/elastic/index-template.json")
	if err != nil {
		t.Fatal(err)
	}
	s.ask(t, http.MethodPut, "/_index_template/houndtrail", string(template), nil)
	return s
}

// ask asks the server, and decodes the answer.
func (s search) ask(t *testing.T, method, path, body string, into any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode/100 != 2 {
		t.Fatalf("%s %s answered %d: %v\n%.500s", method, path, resp.StatusCode, err, text)
	}
	if into != nil {
		if err := json.Unmarshal(text, into); err != nil {
			t.Fatalf("%.300s: %v", text, err)
		}
	}
}

// has checks that a stream has so many documents, with so many ids.
func (s search) has(t *testing.T, stream string, documents, ids int) {
	t.Helper()
	s.ask(t, http.MethodPost, "/"+stream+"/_refresh", "", nil)
	var found struct {
		Hits         struct{ Total struct{ Value int } }
		Aggregations struct{ IDs struct{ Value int } }
	}
	s.ask(t, http.MethodPost, "/"+stream+"/_search", `{"size":0,"track_total_hits":true,"aggs":{"ids":{"cardinality":{"field":"event_id",`+
		`"precision_threshold":40000}}}}`, &found)
	got := found.Aggregations.IDs.Value
	if slack := ids / 100; found.Hits.Total.Value != documents || got < ids-slack || got > ids+slack { // ids are counted nearly
		t.Errorf("%s has %d documents with %d ids, want %d with %d", stream, found.Hits.Total.Value, got, documents, ids)
	}
}

func (s search) sink(t *testing.T, stream string, o webhook.Options) *webhook.Sink {
	t.Helper()
	o.URL, o.Format = s.URL+"/"+stream+"/_bulk", format.ElasticBulk
	return newSink(t, o)
}

func deliver(t *testing.T, s *webhook.Sink, rs []record.Record) {
	t.Helper()
	receipt, err := sinktest.Write(t.Context(), s, windowOf(rs), rs)
	if err != nil {
		t.Fatal(err)
	}
	told := 0
	for _, o := range receipt.Objects {
		told += o.Records
	}
	if told != len(rs) {
		t.Errorf("the receipt has %d records of %d", told, len(rs))
	}
}

// TestOpenSearch runs against one server, since the server takes some time to start.
func TestOpenSearch(t *testing.T) {
	s := newSearch(t, "100mb")
	t.Run("stores each record once", s.storesOnce)
	t.Run("names the record that it refuses", s.refusesOne)
	t.Run("lacks only the record that it refuses", s.lacksOne)
	t.Run("is blocked for a while", s.isBlocked)
	t.Run("has no index", s.hasNoIndex)
	t.Run("is killed", s.isKilled) // last, since it ends with the server
}

// The real receiver stores each record of batches of one, a thousand and fifty thousand, also lines of 300 KiB. If a record comes
// again, it does not store it twice, until its data stream rolls over.
func (s search) storesOnce(t *testing.T) {
	const stream = "logs-bloodhound.audit-default"
	total := 0
	for _, n := range []int{1, 1000, 50_000} {
		rs := sinktest.Generate(t, int64(total+1), n, start.Add(time.Duration(total)*time.Second), time.Second)
		if n == 1000 {
			rs[0], rs[500] = padded(t, rs[0], 300<<10), padded(t, rs[500], 300<<10)
		}
		total += n
		sink, err := webhook.New(webhook.Options{
			URL: s.URL, Format: format.ElasticBulk, Tenant: tenant, BatchRecords: n, BatchBytes: 90 << 20, Timeout: 5 * time.Minute,
		})
		if err != nil {
			t.Fatal(err)
		}
		deliver(t, sink, rs)
		s.has(t, stream, total, total)
		deliver(t, sink, rs) // each record is already there: the server answers 409
		s.has(t, stream, total, total)
		if n == 1000 {
			s.ask(t, http.MethodPost, "/"+stream+"/_rollover", "", nil)
			deliver(t, sink, rs)
			s.has(t, stream, total+n, total)
			s.ask(t, http.MethodDelete, "/_data_stream/"+stream, "", nil)
			total = 0
		}
	}
	var one struct {
		Hits struct {
			Hits []struct {
				ID     string `json:"_id"`
				Source struct {
					ID   string    `json:"event_id"`
					Time time.Time `json:"@timestamp"`
				} `json:"_source"`
			}
		}
	}
	r := sinktest.Generate(t, 1002, 1, start.Add(1001*time.Second), time.Second)[0]
	s.ask(t, http.MethodPost, "/"+stream+"/_search", fmt.Sprintf(`{"query":{"term":{"event_id":%q}}}`, ndjson.EventID(tenant, &r)), &one)
	if hits := one.Hits.Hits; len(hits) != 1 || hits[0].ID != hits[0].Source.ID || !hits[0].Source.Time.Equal(r.CreatedAt) {
		t.Errorf("%+v", hits)
	}
}

// If one record does not fit into the mapping, the error names it, and the server stores all others. If none fits, the error blames
// no record.
func (s search) refusesOne(t *testing.T) {
	s.expects(t, "strict", "long")
	rs := records(t, 1000)
	for i := range rs {
		rs[i] = with(t, rs[i], "1")
	}
	rs[700] = with(t, rs[700], `"text"`)
	_, err := sinktest.Write(t.Context(), s.sink(t, "strict", webhook.Options{}), windowOf(rs), rs)
	wants(t, err, "event acme/701/", "400 mapper_parsing_exception", "with 999 of 1000 records delivered", "index template")
	s.has(t, "strict", 999, 999)
	bad := rs[:50]
	for i := range bad {
		bad[i] = with(t, bad[i], `"text"`)
	}
	s.ask(t, http.MethodPost, "/strict/_rollover", "", nil)
	_, err = sinktest.Write(t.Context(), s.sink(t, "strict", webhook.Options{}), windowOf(bad), bad)
	wants(t, err, "refuses each of the 50 records alike", "no fault of the records")
}

// expects makes a template for a stream, in which the field n has a type.
func (s search) expects(t *testing.T, stream, kind string) {
	t.Helper()
	s.ask(t, http.MethodPut, "/_index_template/"+stream, fmt.Sprintf(`{"index_patterns":[%q],"data_stream":{},"template":{"mappings":{`+
		`"properties":{"event_id":{"type":"keyword"},"fields":{"properties":{"n":{"type":%q}}}}}}}`, stream, kind), nil)
}

// with is the record with a value of the field n.
func with(t *testing.T, r record.Record, n string) record.Record {
	t.Helper()
	return sinktest.Parse(t, fmt.Sprintf(`{"id":%d,"created_at":%q,"fields":{"n":%s}}`, r.ID, r.CreatedAt.Format(time.RFC3339Nano), n))
}

// Of 10,000 records, one does not fit into the mapping: it goes into the dead letter, and the server has the other 9,999. After people
// mend the mapping, the letter arrives.
func (s search) lacksOne(t *testing.T) {
	const stream, bad = "aside", 6543
	s.expects(t, stream, "long")
	rs := records(t, 10_000)
	for i := range rs {
		rs[i] = with(t, rs[i], "1")
	}
	rs[bad] = with(t, rs[bad], `"text"`)
	l := newLetterbox()
	receipt, err := sinktest.Write(t.Context(), s.sink(t, stream, webhook.Options{Letters: l.box()}), windowOf(rs), rs)
	if err != nil || len(receipt.Letters) != 1 || receipt.Letters[0].ID != rs[bad].ID {
		t.Fatalf("the letters %+v, %v", receipt.Letters, err)
	}
	s.has(t, stream, len(rs)-1, len(rs)-1)
	letter, err := l.box().Read(t.Context(), receipt.Letters[0])
	if err != nil || !strings.Contains(letter.Answer, "400 mapper_parsing_exception") {
		t.Fatalf("the letter %+v, %v", letter, err)
	}
	again := s.sink(t, stream, webhook.Options{})
	if _, err := again.Resend(t.Context(), letter, nil); !webhook.OfRecord(err) {
		t.Errorf("before the mapping is mended: %v", err)
	}
	s.expects(t, stream, "keyword")
	s.ask(t, http.MethodPost, "/"+stream+"/_rollover", "", nil)
	if _, err := again.Resend(t.Context(), letter, nil); err != nil {
		t.Error(err)
	}
	s.has(t, stream, len(rs), len(rs))
}

// A blocked stream gets the records as soon as it is free again.
func (s search) isBlocked(t *testing.T) {
	const stream = "logs-bloodhound.audit-blocked"
	rs := records(t, 100)
	deliver(t, s.sink(t, stream, webhook.Options{}), rs[:1])
	s.ask(t, http.MethodPut, "/"+stream+"/_settings", `{"index.blocks.write":true}`, nil)
	var reasons []string
	deliver(t, s.sink(t, stream, webhook.Options{Retried: func(r webhook.Retry) {
		if reasons = append(reasons, r.Err.Error()); len(reasons) == 2 {
			s.ask(t, http.MethodPut, "/"+stream+"/_settings", `{"index.blocks.write":false}`, nil)
		}
	}}), rs)
	s.has(t, stream, 100, 100)
	if len(reasons) != 2 || !strings.Contains(reasons[0], "403 cluster_block_exception") || !strings.Contains(reasons[0], " of the 100 records") {
		t.Errorf("%q", reasons)
	}
}

// The test kills the server in the middle of the batches, and starts it again. The server stores every record, each once.
func (s search) isKilled(t *testing.T) {
	const stream = "logs-bloodhound.audit-killed"
	rs := records(t, 20_000)
	var once sync.Once
	var posts atomic.Int32
	again := make(chan struct{})
	sink := s.sink(t, stream, webhook.Options{BatchRecords: 500, InFlight: 4, Observe: func(webhook.Attempt) {
		if posts.Add(1) < 15 {
			return
		}
		once.Do(func() {
			s.Kill()
			go func() {
				defer close(again)
				s.Restart(t)
			}()
		})
	}})
	deliver(t, sink, rs)
	<-again
	s.has(t, stream, 20_000, 20_000)
}

// If a stream is missing, and the server does not make it, the delivery stops. The error names the stream.
func (s search) hasNoIndex(t *testing.T) {
	s.ask(t, http.MethodPut, "/_cluster/settings", `{"persistent":{"action.auto_create_index":"false"}}`, nil)
	rs := records(t, 100)
	_, err := sinktest.Write(t.Context(), s.sink(t, "missing", webhook.Options{}), windowOf(rs), rs)
	wants(t, err, "404 index_not_found_exception", "create the data stream", "with 0 of 100 records")
	s.ask(t, http.MethodPut, "/_cluster/settings", `{"persistent":{"action.auto_create_index":null}}`, nil)
}

// If a server takes only a megabyte, it gets a larger batch in parts.
func TestOpenSearchTakesLess(t *testing.T) {
	s := newSearch(t, "1mb")
	rs := records(t, 4000)
	deliver(t, s.sink(t, "logs-bloodhound.audit-default", webhook.Options{}), rs)
	s.has(t, "logs-bloodhound.audit-default", 4000, 4000)
}
