package webhook_test

import (
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/sinktest"
	"github.com/houndtrail/houndtrail/sink/webhook/taken"
)

// A process after a kill sends only the batches that the receiver has not taken, in every form. Its receipt is the one of a process that
// sends all of them. A batch with one other byte is sent, under the same batch id.
func TestTakenByAnEarlierProcess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, f := range forms() {
			rs, disk := records(t, 100), &checkpointtest.Memory{Now: time.Now}
			// deliver makes a process that dies after so many posts; 0 for never. It returns the receipt and the number of posts.
			deliver := func(disk *checkpointtest.Memory, rs []record.Record, dies int) (checkpoint.Receipt, *poisoned, int) {
				p, posts := newPoisoned(f.format), 0
				o := formatOptions(p, newLetterbox())
				o.Letters, o.Schema, o.BatchRecords, o.InFlight, o.RetryFor = nil, f.schema, 10, 1, time.Nanosecond
				o.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
					if posts++; dies > 0 && posts >= dies {
						return nil, errBroken
					}
					return p.RoundTrip(r)
				})
				o.Taken = taken.New(taken.Options{
					State: checkpoint.OpenState[taken.Record](disk, "webhook", "taken"), For: func() string { return f.format }, Log: zap.NewNop(),
				})
				receipt, err := sinktest.Write(t.Context(), newSink(t, o), windowOf(rs), rs)
				if (err != nil) != (dies > 0) {
					t.Fatalf("%v: %v", f, err)
				}
				return receipt, p, posts
			}
			whole, _, all := deliver(&checkpointtest.Memory{Now: time.Now}, rs, 0)
			deliver(disk, rs, 6)
			receipt, p, posts := deliver(disk, rs, 0)
			if all != 10 || posts != 5 || len(p.got) != 50 || p.got[ndjson.EventID(tenant, &rs[50])] != 1 {
				t.Errorf("%v: %d posts of %d, with %d events", f, posts, all, len(p.got))
			}
			if diff := cmp.Diff(whole, receipt); diff != "" {
				t.Errorf("%v: the receipt (-want +got):\n%s", f, diff)
			}
			other := slices.Clone(rs)
			other[15] = sinktest.Parse(t, `{"id":16,"created_at":"`+rs[15].CreatedAt.Format(time.RFC3339Nano)+`","action":"Other"}`)
			changed, p, posts := deliver(disk, other, 0)
			if posts != 2 || p.got[ndjson.EventID(tenant, &rs[15])] != 1 { // the last batch has no note
				t.Errorf("%v: a record was changed: %d posts, with %d events", f, posts, len(p.got))
			}
			if changed.Objects[1].Key != whole.Objects[1].Key || changed.Objects[1].SHA256 == whole.Objects[1].SHA256 {
				t.Errorf("%v: the changed batch is %+v", f, changed.Objects[1])
			}
		}
	})
}
