package webhook_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/sinktest"
	"github.com/houndtrail/houndtrail/sink/webhook"
)

// drawRecords draws a window of records of very different sizes, in the order in which a sink gets them.
func drawRecords(t *rapid.T) []record.Record {
	at := start
	var rs []record.Record
	for i := range rapid.IntRange(0, 60).Draw(t, "records") {
		at = at.Add(time.Duration(rapid.Int64Range(0, 3).Draw(t, "gap")) * time.Microsecond)
		r := record.Record{ID: int64(rapid.IntRange(0, 9).Draw(t, "id")*100 + i), CreatedAt: at}
		r.Fields = `"` + strings.Repeat("x", rapid.IntRange(0, 400).Draw(t, "size")) + `"`
		r.Raw = fmt.Sprintf(`{"id":%d,"created_at":%q,"fields":%s}`, r.ID, at.Format(time.RFC3339Nano), r.Fields)
		rs = append(rs, r)
	}
	return rs
}

// The sink cuts the records at any place, and the receiver fails or finds a batch too large any number of times. In all cases the
// receiver acknowledges every line, in order, within the limits. The same window again gives the same batches again.
func TestBatchesCarryEveryLine(t *testing.T) {
	t.Parallel()
	// The bubbles are inside the check, since the check stops early if its clock says that its time is over.
	rapid.Check(t, func(rt *rapid.T) {
		rs := drawRecords(rt)
		o := webhook.Options{
			BatchRecords: rapid.IntRange(1, 20).Draw(rt, "max records"),
			BatchBytes:   rapid.IntRange(1, 4000).Draw(rt, "max bytes"),
			Compression:  rapid.SampledFrom([]ndjson.Compression{ndjson.Gzip, ndjson.Zstd, ndjson.None}).Draw(rt, "compression"),
		}
		fussy := &fussyReceiver{
			largest: rapid.IntRange(800, 5000).Draw(rt, "receiver's limit"), // no record by itself reaches the limit
			failing: rapid.SliceOfN(rapid.Bool(), 16, 16).Draw(rt, "failing"),
		}
		first, receipt, err := fussy.run(t, o, rs)
		if err != nil {
			rt.Fatal(err)
		}
		checkBatches(rt, rs, first, receipt, o, fussy)

		fussy.failing = rapid.SliceOfN(rapid.Bool(), 16, 16).Draw(rt, "failing the second time")
		second, again, err := fussy.run(t, o, rs)
		if err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(receipt, again); diff != "" {
			rt.Fatalf("the second time the batches differ:\n%s", diff)
		}
		for i, p := range second {
			if p.header.Get("Idempotency-Key") != first[i].header.Get("Idempotency-Key") {
				rt.Fatalf("batch %d has another id the second time", i)
			}
		}
	})
}

// A fussyReceiver refuses large batches. It fails at the posts that its list names.
type fussyReceiver struct {
	largest int
	failing []bool
	refused bool // it has refused a batch, so there are parts of batches
}

// run writes a window under a fake clock, and returns the acknowledged posts.
func (f *fussyReceiver) run(t *testing.T, o webhook.Options, rs []record.Record) ([]post, checkpoint.Receipt, error) {
	var acknowledged []post
	var receipt checkpoint.Receipt
	var err error
	o.Transport = &receiver{answer: func(n int, p post) (reply, error) {
		switch {
		case len(p.body) > f.largest:
			f.refused = true
			return answer(http.StatusRequestEntityTooLarge), nil
		case n%2 == 1 && f.failing[n%len(f.failing)]: // so that no batch always fails
			return answer(http.StatusServiceUnavailable), nil
		}
		acknowledged = append(acknowledged, p)
		return answer(http.StatusOK), nil
	}}
	synctest.Test(t, func(t *testing.T) {
		receipt, err = sinktest.Write(t.Context(), newSink(t, o), windowOf(rs), rs)
	})
	return acknowledged, receipt, err
}

func checkBatches(t *rapid.T, rs []record.Record, posts []post, got checkpoint.Receipt, o webhook.Options, by *fussyReceiver) {
	var want checkpoint.Receipt
	for _, p := range posts {
		n := bytes.Count(p.body, []byte("\n"))
		part := rs[:n]
		rs = rs[n:]
		if n > o.BatchRecords || n > 1 && len(p.body) > min(o.BatchBytes, by.largest) {
			t.Fatalf("batch of %d records and %d bytes", n, len(p.body))
		}
		if !by.refused && n < o.BatchRecords && len(rs) > 0 && len(p.body)+len(lines(rs[:1])) <= o.BatchBytes {
			t.Fatalf("batch of %d records and %d bytes had room for the next", n, len(p.body))
		}
		if diff := cmp.Diff(string(lines(part)), string(p.body)); diff != "" {
			t.Fatalf("lines (-want +got):\n%s", diff)
		}
		events := bytes.NewBufferString(tenant)
		for i := range part {
			if err := binary.Write(events, binary.BigEndian, []int64{part[i].ID, part[i].CreatedAt.UnixMicro()}); err != nil {
				t.Fatal(err)
			}
		}
		identity := sha256.Sum256(events.Bytes())
		id := hex.EncodeToString(identity[:16])
		if p.header.Get("Idempotency-Key") != id {
			t.Fatalf("Idempotency-Key %q, want %q", p.header.Get("Idempotency-Key"), id)
		}
		sum := sha256.Sum256(p.wire)
		object := checkpoint.Object{
			Key: "batch/" + id, Bytes: int64(len(p.wire)), SHA256: hex.EncodeToString(sum[:]), Records: n,
			MinID: part[0].ID, MaxID: part[0].ID, MinCreatedAt: part[0].CreatedAt, MaxCreatedAt: part[n-1].CreatedAt,
		}
		for _, r := range part {
			object.MinID, object.MaxID = min(object.MinID, r.ID), max(object.MaxID, r.ID)
		}
		want.Objects = append(want.Objects, object)
	}
	if len(rs) > 0 {
		t.Fatalf("%d records were not sent", len(rs))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("receipt (-want +got):\n%s", diff)
	}
}

func TestRecordLargerThanABatchGoesAlone(t *testing.T) {
	t.Parallel()
	rs := records(t, 3)
	rs[1].Raw = strings.Replace(rs[1].Raw, `{`, `{"padding":"`+strings.Repeat("x", 5000)+`",`, 1)
	rc := &receiver{}
	receipt, err := sinktest.Write(t.Context(), newSink(t, webhook.Options{Transport: rc, BatchBytes: 2000}), windowOf(rs), rs)
	if err != nil {
		t.Fatal(err)
	}
	if len(receipt.Objects) != 3 || len(rc.posts[1].body) < 5000 || !bytes.Equal(rc.posts[1].body, lines(rs[1:2])) {
		t.Errorf("receipt %+v", receipt)
	}
}

// The limit is exact: a batch may be as large as the limit, and not one byte larger.
func TestBatchBytesIsExact(t *testing.T) {
	t.Parallel()
	rs := records(t, 6)
	two := len(lines(rs[:2]))
	for _, test := range []struct{ bytes, first int }{{two, 2}, {two - 1, 1}, {two + 1, 2}} {
		rc := &receiver{}
		receipt, err := sinktest.Write(t.Context(), newSink(t, webhook.Options{Transport: rc, BatchBytes: test.bytes}), windowOf(rs), rs)
		if err != nil {
			t.Fatal(err)
		}
		if got := receipt.Objects[0].Records; got != test.first {
			t.Errorf("%d records in %d bytes, want %d", got, test.bytes, test.first)
		}
	}
}

// If a receiver drops a long line and answers 200, it must not drop the neighbours of the line.
func TestLongLineGoesAlone(t *testing.T) {
	t.Parallel()
	rs := records(t, 9)
	for _, i := range []int{3, 4, 8} {
		rs[i].Raw = strings.Replace(rs[i].Raw, `{`, `{"padding":"`+strings.Repeat("x", 256<<10)+`",`, 1)
	}
	rc := &receiver{}
	receipt, err := sinktest.Write(t.Context(), newSink(t, webhook.Options{Transport: rc, BatchBytes: 10 << 20}), windowOf(rs), rs)
	if err != nil {
		t.Fatal(err)
	}
	var sizes []int
	for _, o := range receipt.Objects {
		sizes = append(sizes, o.Records)
	}
	if diff := cmp.Diff([]int{3, 1, 1, 3, 1}, sizes); diff != "" {
		t.Errorf("records per batch (-want +got):\n%s", diff)
	}
}

func TestNoRecordsNoRequest(t *testing.T) {
	t.Parallel()
	rc := &receiver{}
	receipt, err := sinktest.Write(t.Context(), newSink(t, webhook.Options{Transport: rc}), windowOf(nil), nil)
	if err != nil || len(receipt.Objects) != 0 || len(rc.posts) != 0 {
		t.Errorf("receipt %+v, error %v, %d posts", receipt, err, len(rc.posts))
	}
}

// The sink learns the limit from one refusal, for the rest of the batch.
func TestTooLargeMakesBatchesSmaller(t *testing.T) {
	t.Parallel()
	rs := records(t, 256)
	limit := len(lines(rs)) / 5
	rc := &receiver{}
	var taken []byte
	rc.answer = func(_ int, p post) (reply, error) {
		if len(p.body) > limit {
			return answer(http.StatusRequestEntityTooLarge), nil
		}
		taken = append(taken, p.body...)
		return answer(http.StatusOK), nil
	}
	receipt, err := sinktest.Write(t.Context(), newSink(t, webhook.Options{Transport: rc}), windowOf(rs), rs)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(taken, lines(rs)) {
		t.Error("the lines taken are not those of the window")
	}
	// The receiver refuses the whole, a half and a quarter once each. An eighth fits.
	if refused := len(rc.posts) - len(receipt.Objects); refused != 3 {
		t.Errorf("%d refusals, want 3", refused)
	}
}

// net/http may still read after the answer. It must not see the bytes of the next batch.
func TestEarlyAnswerNeverMixesBatches(t *testing.T) {
	t.Parallel()
	for _, compression := range []ndjson.Compression{ndjson.Gzip, ndjson.Zstd, ndjson.None} {
		rs := records(t, 100)
		late := make(chan error, 10)
		s := newSink(t, webhook.Options{
			BatchRecords: 10, Compression: compression, Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				if _, err := r.Body.Read(make([]byte, 1)); err != nil {
					return nil, err
				}
				go func() { // this reads while the sink is at its next batch: the race detector would notice it
					<-r.Context().Done()
					n, err := r.Body.Read(make([]byte, 1<<16))
					if n > 0 || err == nil || errors.Is(err, io.EOF) {
						late <- fmt.Errorf("read %d bytes after the answer, error %w", n, err)
						return
					}
					late <- nil
				}()
				return answer(http.StatusOK).response(), nil
			}),
		})
		if _, err := sinktest.Write(t.Context(), s, windowOf(rs), rs); err != nil {
			t.Fatal(err)
		}
		for range 10 {
			if err := <-late; err != nil {
				t.Error(err)
			}
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestPrepareSideBySide(t *testing.T) {
	t.Parallel()
	rc := &receiver{}
	want := sinktest.Prepare(t, newSink(t, webhook.Options{Transport: rc, BatchRecords: 70}), 8)
	var got []byte
	for _, p := range rc.posts {
		got = append(got, p.body...)
	}
	if diff := cmp.Diff(string(lines(want)), string(got)); diff != "" {
		t.Errorf("the lines (-want +got):\n%.3000s", diff)
	}
}
