package webhook_test

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/webhook"
	"github.com/houndtrail/houndtrail/sink/webhook/format"
)

// The sink compresses a large record piece by piece. It sends the record as a batch by itself between the others.
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

// No format has a large record in memory as a whole: it writes the record piece by piece, or cuts it. With the race detector, pools
// lose some of their buffers.
func TestNoFormatCopiesLongLines(t *testing.T) {
	rs := records(t, 3)
	rs[1] = padded(t, rs[1], 32<<20)
	for _, name := range format.Names() {
		s := newSink(t, webhook.Options{Format: name, Transport: &receiver{}})
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, held, err := s.Prepare(windowOf(rs), rs)
		runtime.ReadMemStats(&after)
		if err != nil {
			t.Fatal(err)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 24<<20 || held > 8<<20 {
			t.Errorf("%s: %d bytes were allocated, and %d are held", name, n, held)
		}
	}
}

// The sink reads a long answer up to a limit, which grows with the batch. The size of a window includes the memory for that answer.
func TestLongAnswers(t *testing.T) {
	t.Parallel()
	rs := records(t, 2000)
	items := strings.Repeat(`,{"create":{"_index":"`+strings.Repeat("x", 500)+`","status":201}}`, len(rs))
	s := newSink(t, webhook.Options{Format: format.ElasticBulk, Transport: &receiver{answer: func(int, post) (reply, error) {
		return reply{status: 200, body: `{"errors":false,"items":[` + items[1:] + `]}`}, nil
	}}})
	write, held, err := s.Prepare(windowOf(rs), rs)
	if err != nil {
		t.Fatal(err)
	}
	if held < int64(len(items)) {
		t.Errorf("%d bytes are held, and the answer has %d", held, len(items))
	}
	if _, err := write(t.Context()); err != nil {
		t.Error(err)
	}
}
