package webhook_test

import (
	"testing"
	"testing/synctest"

	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/sinktest"
	"github.com/houndtrail/houndtrail/sink/webhook"
	"github.com/houndtrail/houndtrail/sink/webhook/format"
)

// Records that Elasticsearch puts into its failure store count as delivered, and the receipt counts them. It also counts those of a
// batch whose other records need another attempt, and those that an earlier attempt at the window delivered.
func TestDiverted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rs := records(t, 40)
		aside := map[string]bool{}
		for _, i := range []int{3, 4, 17, 39} {
			aside[ndjson.EventID(tenant, &rs[i])] = true
		}
		busy, refuses := map[string]bool{ndjson.EventID(tenant, &rs[5]): true}, ndjson.EventID(tenant, &rs[30])
		d := newBulkDouble()
		d.item = func(id string) string {
			switch {
			case aside[id]:
				return `{"status":201,"failure_store":"used"}`
			case busy[id]:
				delete(busy, id)
				return `{"status":429,"error":{"type":"es_rejected_execution_exception"}}`
			case id == refuses:
				return `{"status":400,"error":{"type":"document_parsing_exception"}}`
			}
			return ""
		}
		s := newSink(t, webhook.Options{Format: format.ElasticBulk, Transport: d, BatchRecords: 10})
		if receipt, err := sinktest.Write(t.Context(), s, windowOf(rs), rs); err == nil {
			t.Fatalf("the refused record is delivered: %d diverted", receipt.Diverted)
		}
		refuses = ""
		receipt, err := sinktest.Write(t.Context(), s, windowOf(rs), rs)
		if err != nil || receipt.Diverted != len(aside) {
			t.Errorf("%d records are diverted, want %d: %v", receipt.Diverted, len(aside), err)
		}
	})
}
