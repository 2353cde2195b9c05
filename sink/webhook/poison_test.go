package webhook_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/sinktest"
	"github.com/houndtrail/houndtrail/sink/webhook"
)

// A pickyReceiver answers 400 to each batch with a record that it cannot read. It counts the other records.
type pickyReceiver struct {
	receiver
	bad map[string]bool // by event id
	got map[string]int
}

func newPicky() *pickyReceiver {
	p := &pickyReceiver{bad: map[string]bool{}, got: map[string]int{}}
	p.answer = func(_ int, sent post) (reply, error) {
		var ids []string
		for line := range bytes.Lines(sent.body) {
			id, _, _ := strings.Cut(strings.TrimPrefix(string(line), `{"event_id":"`), `"`)
			if p.bad[id] {
				return answer(http.StatusBadRequest, "cannot read one of the lines"), nil
			}
			ids = append(ids, id)
		}
		for _, id := range ids {
			p.got[id]++
		}
		return answer(http.StatusNoContent), nil
	}
	return p
}

// The unreadable record is at any place. Few posts find it, and the error names it. The sink delivers the records before it once,
// even if it tries the window many times. After people mend the record, the rest follows, with a receipt of the whole window.
func TestUnreadableRecord(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rs := drawRecords(t)
		if len(rs) == 0 {
			return
		}
		bad := rapid.IntRange(0, len(rs)-1).Draw(t, "unreadable")
		picky := newPicky()
		id := ndjson.EventID(tenant, &rs[bad])
		picky.bad[id] = true
		s, err := webhook.New(webhook.Options{
			URL: "https://siem.example/in", Tenant: tenant, Transport: picky, RetryFor: 1, InFlight: 1,
			BatchRecords: rapid.IntRange(1, 70).Draw(t, "batch"),
			Compression:  rapid.SampledFrom([]ndjson.Compression{ndjson.Gzip, ndjson.Zstd, ndjson.None}).Draw(t, "compression"),
		})
		if err != nil {
			t.Fatal(err)
		}
		posts := 0
		for cycle := range 3 {
			_, err = sinktest.Write(t.Context(), s, windowOf(rs), rs)
			want := fmt.Sprintf("event %s of", id)
			status, ok := errors.AsType[*webhook.StatusError](err)
			if !ok || status.Status != http.StatusBadRequest || !strings.Contains(err.Error(), want) ||
				!strings.Contains(err.Error(), fmt.Sprintf("with %d of %d records delivered", bad, len(rs))) {
				t.Fatalf("cycle %d: %v; want %s, with %d", cycle, err, want, bad)
			}
			if n := len(picky.posts) - posts; cycle > 0 && n > 8 {
				t.Fatalf("cycle %d took %d posts", cycle, n)
			}
			posts = len(picky.posts)
			checkOnce(t, picky, rs[:bad])
		}
		delete(picky.bad, id)
		receipt, err := sinktest.Write(t.Context(), s, windowOf(rs), rs)
		if err != nil {
			t.Fatal(err)
		}
		checkOnce(t, picky, rs)
		n := 0
		for _, o := range receipt.Objects {
			n += o.Records
		}
		if n != len(rs) {
			t.Fatalf("the receipt has %d records of %d", n, len(rs))
		}
		// After the delivery, the sink remembers nothing of the window.
		if again, err := sinktest.Write(t.Context(), s, windowOf(rs), rs); err != nil || picky.got[id] != 2 || len(again.Objects) == 0 {
			t.Fatalf("the window again: %v, %d times", err, picky.got[id])
		}
	})
}

func checkOnce(t *rapid.T, p *pickyReceiver, rs []record.Record) {
	t.Helper()
	want := map[string]bool{}
	for i := range rs {
		want[ndjson.EventID(tenant, &rs[i])] = true
	}
	for id, times := range p.got {
		if times != 1 || !want[id] {
			t.Fatalf("%s was delivered %d times", id, times)
		}
	}
	if len(p.got) != len(want) {
		t.Fatalf("%d records were delivered, want %d", len(p.got), len(want))
	}
}

// The next attempt may bring more records, between the delivered ones and behind them. If it is another window, or lacks a
// delivered record, the sink sends the whole window.
func TestGoesOn(t *testing.T) {
	t.Parallel()
	all := records(t, 10)
	w := windowOf(all)
	other := window.Window{Start: w.Start, End: w.End, Pass: 7}
	pick := func(indices ...int) (rs []record.Record) {
		for _, i := range indices {
			rs = append(rs, all[i])
		}
		return rs
	}
	for name, test := range map[string]struct {
		window window.Window
		second []record.Record
		sent   []int // in the second attempt
	}{
		"the same":       {w, pick(0, 2, 4, 6, 8), []int{6, 8}},
		"more":           {w, all, []int{1, 3, 5, 6, 7, 8, 9}},
		"one less":       {w, pick(0, 4, 6, 8), []int{0, 4, 6, 8}},
		"fewer":          {w, pick(0, 2), []int{0, 2}},
		"another window": {other, pick(0, 2, 4, 6, 8), []int{0, 2, 4, 6, 8}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			down := true
			rc := &receiver{answer: func(n int, _ post) (reply, error) {
				if down && n > 3 {
					return answer(http.StatusServiceUnavailable), nil
				}
				return answer(http.StatusNoContent), nil
			}}
			s := newSink(t, webhook.Options{Transport: rc, BatchRecords: 1, RetryFor: 1})
			if _, err := sinktest.Write(t.Context(), s, w, pick(0, 2, 4, 6, 8)); err == nil {
				t.Fatal("no error")
			}
			sent := len(rc.posts)
			down = false
			receipt, err := sinktest.Write(t.Context(), s, test.window, test.second)
			if err != nil || len(receipt.Objects) != len(test.second) {
				t.Errorf("a receipt of %d batches, %v", len(receipt.Objects), err)
			}
			var got []string
			for _, p := range rc.posts[sent:] {
				got = append(got, string(p.body))
			}
			var want []string
			for _, i := range test.sent {
				want = append(want, string(lines(all[i:i+1])))
			}
			if !slices.Equal(got, want) {
				t.Errorf("sent\n%q, want\n%q", got, want)
			}
		})
	}
}
