package webhook_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/sinktest"
	"github.com/houndtrail/houndtrail/sink/webhook"
	"github.com/houndtrail/houndtrail/sink/webhook/format"
)

// A bulkDouble answers for each record, as Elastic's bulk API does. The real one is in .ci/receivers.
type bulkDouble struct {
	mu     sync.Mutex
	item   func(id string) string // the item's status and error; "" stores the record
	whole  func() int             // the status of the whole answer; 0 loses it after the records are stored
	stored map[string]int
	sent   [][]string // the ids of each post
	lost   map[string]bool
}

func (d *bulkDouble) RoundTrip(r *http.Request) (*http.Response, error) {
	p, err := readPost(r)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	status := http.StatusOK
	if d.whole != nil {
		status = d.whole()
	}
	ids := bulkIDs(p.body)
	d.sent = append(d.sent, ids)
	if status != http.StatusOK && status != 0 {
		return answer(status).response(), nil
	}
	items := make([]string, len(ids))
	for i, id := range ids {
		refused := ""
		if d.item != nil {
			refused = d.item(id)
		}
		switch {
		case refused != "":
			items[i] = `{"create":` + refused + `}`
		case d.stored[id] > 0 && d.lost[id]:
			items[i] = `{"create":{"status":409,"error":{"type":"version_conflict_engine_exception","reason":"exists"}}}`
		default:
			items[i] = `{"create":{"status":201}}`
			d.stored[id]++
			d.lost[id] = status == 0
		}
	}
	if status == 0 {
		return nil, errBroken
	}
	body := fmt.Sprintf(`{"errors":%t,"items":[%s]}`, strings.Contains(strings.Join(items, ""), "error"), strings.Join(items, ","))
	return reply{status: http.StatusOK, body: body}.response(), nil
}

func newBulkDouble() *bulkDouble {
	return &bulkDouble{stored: map[string]int{}, lost: map[string]bool{}}
}

func bulkIDs(body []byte) (ids []string) {
	number := 0
	for line := range bytes.Lines(body) {
		var action struct {
			Create struct {
				ID string `json:"_id"`
			} `json:"create"`
		}
		if number++; number%2 == 1 && json.Unmarshal(line, &action) == nil {
			ids = append(ids, action.Create.ID)
		}
	}
	return ids
}

const (
	busy     = `{"status":429,"error":{"type":"es_rejected_execution_exception","reason":"queue is full"}}`
	unmapped = `{"status":400,"error":{"type":"mapper_parsing_exception","reason":"failed to parse field [fields]"}}`
	block    = `{"status":403,"error":{"type":"cluster_block_exception","reason":"index [x] blocked by: [FORBIDDEN/8]"}}`
	noIndex  = `{"status":404,"error":{"type":"index_not_found_exception","reason":"no such index [x]"}}`
)

// Only the records that the receiver did not take are sent again, and the receipt has each record once.
func TestOneBusyRecordAmongMany(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rs := records(t, 1000)
		slow := ndjson.EventID(tenant, &rs[400])
		d := newBulkDouble()
		d.item = func(id string) string {
			if id == slow && len(d.sent) < 3 {
				return busy
			}
			return ""
		}
		var retries []webhook.Retry
		s := newSink(t, webhook.Options{
			Transport: d, Format: format.ElasticBulk, Retried: func(r webhook.Retry) { retries = append(retries, r) },
		})
		receipt, err := sinktest.Write(t.Context(), s, windowOf(rs), rs)
		if err != nil {
			t.Fatal(err)
		}
		if len(d.sent) != 3 || len(d.sent[0]) != 1000 || !slices.Equal(d.sent[1], []string{slow}) || !slices.Equal(d.sent[2], d.sent[1]) {
			t.Errorf("%d posts, the last one of %v", len(d.sent), d.sent[len(d.sent)-1])
		}
		if len(receipt.Objects) != 2 || receipt.Objects[0].Records != 999 || receipt.Objects[1].Records != 1 {
			t.Errorf("receipt %+v", receipt.Objects)
		}
		if len(retries) != 2 || !strings.Contains(retries[0].Err.Error(), "does not take 1 of the 1000 records") || retries[1].Number != 2 {
			t.Errorf("retries %+v", retries)
		}
	})
}

// What stops the stream, what names a record, and what the receiver has by then.
func TestItemsThatAreNotStored(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		records int
		item    func(n int) string
		says    []string
		stored  int
		posts   int // at most
	}{
		"one refused": {
			100, func(n int) string { return map[int]string{7: unmapped}[n] },
			[]string{"event acme/8/", "refuses this record: 400 mapper_parsing_exception: failed to parse field [fields]", "with 99 of 100"},
			99, 1,
		},
		"some refused, some busy": {
			100, func(n int) string { return map[int]string{7: unmapped, 9: busy}[n] }, []string{"gave up", "with 98 of 100"}, 98, 1000,
		},
		"few refused alike": {
			3, func(int) string { return unmapped }, []string{"event acme/1/", "with 0 of 3"}, 0, 1,
		},
		"all refused alike": {
			100, func(int) string { return unmapped },
			[]string{"refuses each of the 100 records alike", "this is no fault of the records", "with 0 of 100"},
			0, 1,
		},
		"no index": {
			100, func(int) string { return noIndex }, []string{"404 index_not_found_exception", "create the data stream"}, 0, 1,
		},
		"no index for some": {
			100, func(n int) string { return map[int]string{7: noIndex, 8: unmapped, 9: busy}[n] }, []string{"with 97 of 100"}, 97, 1,
		},
		"blocked": {
			100, func(int) string { return block }, []string{"gave up after", "cluster_block_exception", "lift the block"}, 0, 1000,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rs := records(t, test.records)
				places := map[string]int{}
				for i := range rs {
					places[ndjson.EventID(tenant, &rs[i])] = i
				}
				d := newBulkDouble()
				d.item = func(id string) string { return test.item(places[id]) }
				s := newSink(t, webhook.Options{Transport: d, Format: format.ElasticBulk})
				_, err := sinktest.Write(t.Context(), s, windowOf(rs), rs)
				wants(t, err, test.says...)
				if len(d.stored) != test.stored || len(d.sent) > test.posts {
					t.Errorf("%d records stored in %d posts", len(d.stored), len(d.sent))
				}
				d.item = nil // people have mended it
				receipt, err := sinktest.Write(t.Context(), s, windowOf(rs), rs)
				if err != nil {
					t.Fatal(err)
				}
				d.checkOnce(t, test.records, receipt)
			})
		})
	}
}

// checkOnce checks that each record is stored, and came to be stored once, and that the receipt has all.
func (d *bulkDouble) checkOnce(t interface{ Errorf(string, ...any) }, records int, receipt checkpoint.Receipt) {
	for id, times := range d.stored {
		if times != 1 {
			t.Errorf("%s was stored %d times", id, times)
		}
	}
	told := 0
	for _, o := range receipt.Objects {
		told += o.Records
	}
	if len(d.stored) != records || told != records {
		t.Errorf("%d records are stored, and the receipt has %d, want %d", len(d.stored), told, records)
	}
}

// Whatever the receiver takes of each batch, refuses, answers late or not at all: no stored record is sent again, other than in a
// batch whose answer was lost, and in the end each record is stored once.
func TestItemsInAnyMood(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		rs := drawRecords(rt)
		dice := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
		odds := rapid.IntRange(0, 60).Draw(rt, "odds")
		d, bad, broken := newBulkDouble(), map[string]bool{}, ""
		for range rapid.IntRange(0, 2).Draw(rt, "refused") {
			if len(rs) > 0 {
				bad[ndjson.EventID(tenant, &rs[dice.IntN(len(rs))])] = true
			}
		}
		d.item = func(id string) string {
			switch {
			case d.stored[id] > 0 && !d.lost[id]:
				broken = id + " comes again after it was stored"
			case bad[id]:
				return unmapped
			case dice.IntN(100) < odds:
				return busy
			}
			return ""
		}
		d.whole = func() int {
			if dice.IntN(100) < odds/2 {
				return []int{0, 413, 429, 503}[dice.IntN(4)]
			}
			return 200
		}
		o := webhook.Options{
			Transport: d, Format: format.ElasticBulk, BatchRecords: rapid.IntRange(1, 20).Draw(rt, "batch"), RetryFor: 20 * time.Second,
			InFlight: rapid.IntRange(1, 4).Draw(rt, "in flight"),
		}
		var receipt checkpoint.Receipt
		synctest.Test(t, func(t *testing.T) {
			s, err := newSink(t, o), errBroken
			for attempt := 0; err != nil && broken == ""; attempt++ {
				if attempt == 5 {
					clear(bad)
				}
				if receipt, err = sinktest.Write(t.Context(), s, windowOf(rs), rs); attempt == 40 {
					broken = fmt.Sprintf("not delivered in %d attempts: %v", attempt, err)
				}
				odds = odds * 3 / 4
			}
		})
		if broken != "" {
			rt.Fatal(broken)
		}
		d.checkOnce(rt, len(rs), receipt)
	})
}

// A secret may be renewed while a request with the old one is on its way.
func TestRenewedCredential(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		values []string // of the file, at each look
		posts  []string // the values that are sent
		fails  bool
	}{
		"renewed":      {[]string{"old", "new"}, []string{"old", "new"}, false},
		"the same":     {[]string{"old", "old"}, []string{"old"}, true},
		"renewed, bad": {[]string{"old", "bad", "new"}, []string{"old", "bad"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			looks := 0
			rc := &receiver{answer: func(_ int, p post) (reply, error) {
				if p.header.Get("Authorization") == "new" {
					return answer(http.StatusNoContent), nil
				}
				return answer(http.StatusUnauthorized), nil
			}}
			_, err := write(t.Context(), t, rc, webhook.Options{Authorization: func() (string, error) {
				looks++
				return test.values[min(looks, len(test.values))-1], nil
			}})
			var sent []string
			for _, p := range rc.posts {
				sent = append(sent, p.header.Get("Authorization"))
			}
			if (err != nil) != test.fails || !slices.Equal(sent, test.posts) {
				t.Errorf("sent %q, error %v", sent, err)
			}
		})
	}
}

// A receiver that drops old records says that it has them: nothing of such a window is sent, unless the user knows that.
func TestStaleRecords(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		format string
		age    time.Duration
		allow  bool
		stops  bool
	}{
		"fresh":       {format.Datadog, 17 * time.Hour, false, false},
		"old":         {format.Datadog, 19 * time.Hour, false, true},
		"old, known":  {format.Datadog, 19 * time.Hour, true, false},
		"a day":       {format.Loki, 24 * time.Hour, false, false},
		"eight days":  {format.Loki, 8 * 24 * time.Hour, false, true},
		"a year":      {format.ElasticBulk, 365 * 24 * time.Hour, false, false},
		"a year, too": {format.NDJSON, 365 * 24 * time.Hour, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rs := sinktest.Generate(t, 1, 2, time.Now().Add(-test.age), time.Hour)
				var sent []post
				s := newSink(t, webhook.Options{
					Format: test.format, AllowStale: test.allow, Transport: &receiver{answer: func(_ int, p post) (reply, error) {
						sent = append(sent, p)
						switch test.format {
						case format.Datadog:
							return answer(202), nil
						case format.ElasticBulk:
							return answer(200, `{"errors":false,"items":[{"create":{"status":201}},{"create":{"status":201}}]}`), nil
						}
						return answer(204), nil
					}},
				})
				_, err := sinktest.Write(t.Context(), s, windowOf(rs), rs)
				if (err != nil) != test.stops || (len(sent) == 0) != test.stops {
					t.Fatalf("%d posts, error %v", len(sent), err)
				}
				if test.stops {
					wants(t, err, "event acme/1/", "nothing of the window was sent", "set HOUNDTRAIL_WEBHOOK_ALLOW_STALE=true")
				}
				if test.allow && bytes.Contains(sent[0].body, []byte(`"timestamp"`)) {
					t.Errorf("an old record has its own time: %s", sent[0].body)
				}
			})
		})
	}
}
