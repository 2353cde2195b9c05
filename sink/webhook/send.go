package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/houndtrail/houndtrail/exporter/window"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/config/setting"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink/ndjson"
)

// An outcome is the outcome of a batch. The zero value is the outcome of a batch that Houndtrail did not begin.
type outcome struct {
	done   []portion // the acknowledged batch, or its acknowledged parts, and the records in the dead letter
	failed *batch    // the batch or the part of it that the receiver has not acknowledged
	err    error     // the reason
	begins []event   // the first record of that part, and the first one behind it: Houndtrail did not send the rest of the batch
}

// errHalted is the failure of a batch that Houndtrail did not try again because another batch has failed for good.
var errHalted = errors.New("another batch has failed")

// send delivers a window. If that fails, it remembers the acknowledged batches.
func (s *Sink) send(ctx context.Context, m *preparedWindow) (checkpoint.Receipt, error) {
	if err := errors.Join(s.stale(m), s.opened(ctx)); err != nil {
		return checkpoint.Receipt{}, err
	}
	if m.cut > 0 {
		s.options.Log.Warn("records are longer than the receiver takes: it gets them with their fields cut and marked, see "+
			setting.WebhookRecordBytes, zap.Int("records", m.cut), zap.Time("window", m.window.Start))
	}
	outcomes := s.sendBatches(ctx, m)
	done := m.earlier
	for _, o := range outcomes {
		done = append(done, o.done...)
	}
	done = inOrder(done)
	if o := first(outcomes); o != nil {
		done = s.withdraw(done)
		s.unfinished.set(m.window, m.progress(done, outcomes))
		return checkpoint.Receipt{}, s.failed(m, o, count(done))
	}
	if m.part {
		s.unfinished.set(m.window, m.progress(delivered(done), outcomes))
	} else {
		s.unfinished.set(m.window, nil)
	}
	return receiptOf(done), nil
}

// eventID is the event id of a line.
func (s *Sink) eventID(l line) string {
	return ndjson.EventID(s.options.Tenant, &record.Record{ID: l.ID, CreatedAt: l.CreatedAt})
}

// sendBatches posts the batches, several at a time, and begins them in their order. After a batch has failed, it begins no other
// one. It waits for the answers to the requests under way: if it lost an answer, Houndtrail would send an acknowledged batch again.
// It tries none of these batches again, so the caller learns of the failure at once, and not after their patience.
func (s *Sink) sendBatches(ctx context.Context, m *preparedWindow) []outcome {
	outcomes := make([]outcome, len(m.batches))
	going, fail := context.WithCancel(ctx)
	defer fail()
	pauses, halt := context.WithCancel(ctx)
	defer halt()
	s.sending.Add(1)
	defer s.sending.Add(-1)
	var left atomic.Int64 // batches that the receiver has not taken
	left.Store(int64(len(m.batches)))
	var onTheWay sync.WaitGroup
	defer onTheWay.Wait()
	for i := range m.batches {
		b, o := &m.batches[i], &outcomes[i]
		if s.wasTaken(ctx, m, b, o) {
			left.Add(-1)
			continue
		}
		places := s.places()
		if s.inFlight.Acquire(going, places) != nil {
			if err := ctx.Err(); err != nil {
				*o = outcome{failed: b, err: fmt.Errorf("stopped before attempt 1: %w", err)}
			}
			break
		}
		onTheWay.Go(func() {
			*o = s.sendBatch(ctx, pauses, b)
			if o.err != nil {
				fail()
				halt()
				s.inFlight.Release(places) // last: otherwise another batch would begin after a failure
				return
			}
			last := left.Add(-1) == 0 && s.sending.Load() == 1 // the commit follows at once
			s.note(ctx, m, b, o, last, func() { s.inFlight.Release(places) })
		})
	}
	return outcomes
}

// slowFor is how long Houndtrail sends less to a receiver that says that it is near its limit.
const slowFor = time.Minute

// places is how many of the places for batches the next one takes. While the receiver is near its limit, it takes two.
func (s *Sink) places() int64 {
	if time.Now().UnixNano() < s.slowUntil.Load() {
		return int64(min(2, s.options.InFlight))
	}
	return 1
}

// sendBatch posts a batch. If the receiver would take less of the batch, it posts smaller parts.
func (s *Sink) sendBatch(ctx, pauses context.Context, b *batch) outcome {
	d, err := s.deliver(ctx, pauses, b)
	return s.goOn(ctx, pauses, d, err)
}

// goOn makes the outcome of a delivery. If the receiver would take fewer of the remaining records, goOn sends them in parts. If the
// receiver refuses a record for its content, goOn puts it into the dead letter. Without one, the record blocks the stream, and the
// error names it.
func (s *Sink) goOn(ctx, pauses context.Context, d *delivery, err error) (o outcome) {
	if refused(err, d.left) {
		s.advise(err, d.left)
		o = s.resend(ctx, pauses, d.left, err)
	} else if s.options.Letters != nil && poison(err, d.left) {
		o = s.putAlone(ctx, d.left, err)
	} else if err != nil {
		if poison(err, d.left) {
			s.offerLetters(err)
		}
		o = outcome{failed: d.left, err: err}
	}
	if o.err == nil && d.refused != nil {
		o.failed, o.err = d.refused.record, d.refused.err
	}
	o.done = append(d.done, o.done...)
	return o
}

// advise tells people once that Houndtrail sends each batch twice, since it learns the receiver's limit again with every batch.
func (s *Sink) advise(refusal error, b *batch) {
	if tooLarge(refusal) && s.advised.CompareAndSwap(false, true) {
		s.options.Log.Warn("the receiver refuses batches of this size, and gets them in smaller parts: a lower "+
			setting.WebhookBatchBytes+" saves sending them twice", zap.Int("bytes", b.size), zap.String("batch", b.id))
	}
}

// A cut decides the size of the parts of a refused batch.
type cut struct {
	maxBytes int // of each part
	suspects int // index of the line behind the suspects, of which the receiver refuses one; 0 if there are none
}

// refuse makes the next part smaller, after the receiver has refused the part that begins with line from.
func (c *cut) refuse(err error, from int, b *batch) {
	if tooLarge(err) {
		c.maxBytes = b.size / 2
	} else {
		c.suspects = from + len(b.lines)
	}
}

// records is how many records the part that begins with line from may have: half of the suspects. So few posts find the record that
// the receiver cannot read, and they deliver the records before it.
func (c *cut) records(from, most int) int {
	if c.suspects <= from {
		return most
	}
	return min(most, max(1, (c.suspects-from)/2))
}

// recutBytes is how many bytes of text the sink may cut again at a time. It cuts a larger batch alone.
const recutBytes = 16 << 20

// resend posts a refused batch in smaller parts, one after the other. The ends of the parts depend only on the batch and on the
// answers to it, and not on other batches. If Houndtrail sends the batch again, it must cut the parts at the same records:
// otherwise the batch ids would differ. So it learns the receiver's limit again with every batch.
func (s *Sink) resend(ctx, pauses context.Context, b *batch, refusal error) (o outcome) {
	room := min(int64(b.size), recutBytes)
	if err := s.recutRoom.Acquire(ctx, room); err != nil {
		return outcome{failed: b, err: fmt.Errorf("stopped before it was cut smaller: %w", err)}
	}
	defer s.recutRoom.Release(room)
	t, err := unpack(s.options.Compression, b, s.format.Frame(b.walk))
	if err != nil {
		return outcome{failed: b, err: fmt.Errorf("unpack it to cut it smaller: %w", err)}
	}
	c := cut{maxBytes: s.options.BatchBytes}
	c.refuse(refusal, 0, b)
	p := s.packers.Take()
	defer s.giveBack(p)
	var wire bytes.Buffer
	for from := 0; from < len(t.lines); {
		wire.Reset()
		part, err := p.pack(t, from, c.records(from, s.options.BatchRecords), c.maxBytes, &wire)
		if err != nil {
			return outcome{done: o.done, failed: b, err: fmt.Errorf("compress a part of it: %w", err)}
		}
		part.wire = wire.Bytes()
		d, err := &delivery{left: &part}, errHalted
		if pauses.Err() == nil || ctx.Err() != nil {
			d, err = s.deliver(ctx, pauses, &part)
		}
		if refused(err, &part) && d.left == &part {
			c.refuse(err, from, &part)
			continue
		}
		sent := s.goOn(ctx, pauses, d, err)
		o.done = append(o.done, sent.done...)
		if sent.err != nil {
			o.failed, o.err = sent.failed, sent.err
			for _, i := range []int{from, from + len(part.lines)} {
				if i < len(t.lines) {
					o.begins = append(o.begins, eventOf(t.lines[i].Stamp))
				}
			}
			return o
		}
		from += len(part.lines)
	}
	return o
}

// refused tells whether the receiver would take less of the batch.
func refused(err error, b *batch) bool { return (tooLarge(err) || unreadable(err)) && len(b.lines) > 1 }

// first is the outcome of the first batch that failed. It is nil if the window is delivered. If the receiver asked for a long
// pause, first is the outcome that says so, since the stream must keep the pause.
func first(outcomes []outcome) (lowest *outcome) {
	for i := range outcomes {
		switch o := &outcomes[i]; {
		case o.err == nil || errors.Is(o.err, errHalted):
		case isPostponed(o.err):
			return o
		case lowest == nil:
			lowest = o
		}
	}
	return lowest
}

// failed says which batch of the window Houndtrail could not deliver, and how much of the window is delivered.
func (s *Sink) failed(m *preparedWindow, o *outcome, delivered int) error {
	b := o.failed
	what := fmt.Sprintf("batch %s of %d records and %d bytes", b.id, len(b.lines), b.size)
	if len(b.lines) == 1 {
		what = fmt.Sprintf("event %s of %d bytes", s.eventID(b.lines[0]), b.size)
	}
	return fmt.Errorf("post to webhook %s: window from %s, %s, with %d of %d records delivered: %w",
		s, m.window.Start.Format(time.RFC3339Nano), what, delivered, m.total, o.err)
}

// WriteParts is Write for records that come part by part. It asks for the next part when the receiver has acknowledged all batches
// of the previous one. Until all parts are delivered, the sink remembers the acknowledged batches of every part. So the next
// attempt sends only the rest. It also sends again any batch that reaches from one of its parts into another.
func (s *Sink) WriteParts(
	ctx context.Context, w window.Window, parts iter.Seq2[[]record.Record, error],
) (all checkpoint.Receipt, err error) {
	var earlier int64 // records of earlier parts
	for records, err := range parts {
		if err != nil {
			return checkpoint.Receipt{}, err
		}
		write, _, err := s.prepare(w, records, true)
		if err != nil {
			return checkpoint.Receipt{}, err
		}
		receipt, err := write(ctx)
		if err != nil {
			return checkpoint.Receipt{}, err
		}
		all.Objects = append(all.Objects, receipt.Objects...)
		all.Diverted += receipt.Diverted
		for _, l := range receipt.Letters {
			l.Nth += earlier
			all.Letters = append(all.Letters, l)
		}
		earlier += int64(len(records))
	}
	s.unfinished.set(w, nil)
	return all, nil
}
