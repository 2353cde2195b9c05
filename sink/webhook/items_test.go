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

// A bulkDouble answers for each record, as Elastic's bulk API does. The test of .ci/receivers uses a real server.
type bulkDouble struct {
	mu     sync.Mutex
	item   func(id string) string // the item's status and error; "" stores the record
	whole  func() int             // the status of the whole answer; 0 loses the answer after the records are stored
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

// The sink sends only those records again that the receiver did not take. The receipt has each record once.
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

// Some answers stop the stream, and some name a record. The test checks which records the receiver has by then.
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

// checkOnce checks that each record is stored, that the receiver stored it once, and that the receipt has all records.
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

// The receiver takes some records of each batch, refuses some, and answers late or not at all. The sink sends a stored record again
// only if the answer to its batch was lost. In the end, each record is stored once.
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
