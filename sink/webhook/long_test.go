package webhook_test

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/webhook"
)

// The sink compresses a large record piece by piece, and sends it as a batch of its own between the others.
func TestLongLinesAreNotCopied(t *testing.T) {
	rs := records(t, 5)
	for i := range rs {
		if i%2 == 1 {
			rs[i].Raw = strings.Replace(rs[i].Raw, `{`, `{"padding":"`+strings.Repeat("long", 8<<20)+`",`, 1)
		}
	}
	rc := &receiver{}
	s := newSink(t, webhook.Options{Transport: rc, Timeout: time.Minute})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	write, _, err := s.Prepare(windowOf(rs), rs)
	runtime.ReadMemStats(&after)
	if err != nil {
		t.Fatal(err)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 16<<20 {
		t.Errorf("%d bytes were allocated", n)
	}
	receipt, err := write(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(receipt.Objects) != len(rs) {
		t.Fatalf("%d batches, want %d", len(receipt.Objects), len(rs))
	}
	for i, o := range receipt.Objects {
		if o.Records != 1 || string(rc.posts[i].body) != string(ndjson.AppendLine(nil, tenant, &rs[i])) {
			t.Errorf("batch %d has %d records, or not the line of record %d", i, o.Records, rs[i].ID)
		}
	}
}
