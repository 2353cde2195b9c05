package webhook

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"houndtrail/checkpoint"
	"houndtrail/exporter/bloodhound"
	"houndtrail/sink/ndjson"
)

// send delivers a window, and remembers how far it came if that fails.
func (s *Sink) send(ctx context.Context, m *mailing) (checkpoint.Receipt, error) {
	receipt := checkpoint.Receipt{Objects: slices.Clone(m.earlier.objects)}
	err := s.sendBatches(ctx, m, &receipt)
	if err != nil {
		s.unfinished.Store(m.progress(receipt))
		return checkpoint.Receipt{}, err
	}
	if p := s.unfinished.Load(); p.of(m.window) {
		s.unfinished.Store(nil)
	}
	return receipt, nil
}

// sendBatches posts the batches as they were packed, until the receiver would take less of one.
func (s *Sink) sendBatches(ctx context.Context, m *mailing, receipt *checkpoint.Receipt) error {
	for i := range m.batches {
		b := &m.batches[i]
		err := s.deliver(ctx, b)
		if refused(err, b) {
			return s.resend(ctx, m, i, err, receipt)
		}
		if err != nil {
			return s.failed(m, b, receipt, err)
		}
		receipt.Objects = append(receipt.Objects, b.object())
	}
	return nil
}

// A cut is where the batches end of a window that is cut smaller.
type cut struct {
	maxBytes int // of any batch
	suspects int // index of the line behind those among which one was refused; 0 for none
}

// refuse makes the next batch smaller, after the one that begins with line from was refused.
func (c *cut) refuse(err error, from int, b *batch) {
	if tooLarge(err) {
		c.maxBytes = b.size / 2
	} else {
		c.suspects = from + len(b.lines)
	}
}

// records is how many the batch may have that begins with line from: half of the suspects, so that few posts find the one
// that the receiver does not read, and those before it are delivered.
func (c *cut) records(from, most int) int {
	if c.suspects <= from {
		return most
	}
	return min(most, max(1, (c.suspects-from)/2))
}

// resend posts the batches from the refused one on, cut smaller. The limit is learnt again in every window, at the price
// of a few refusals: a window that is sent again must be cut at the same places, or its batch ids would differ.
func (s *Sink) resend(ctx context.Context, m *mailing, first int, refusal error, receipt *checkpoint.Receipt) error {
	t, err := unpack(s.options.Compression, m.batches[first:])
	if err != nil {
		return fmt.Errorf("webhook: unpack the window from %s to cut it smaller: %w", m.start(), err)
	}
	c := cut{maxBytes: s.options.BatchBytes}
	c.refuse(refusal, 0, &m.batches[first])
	var wire bytes.Buffer
	p := s.packers.Take()
	defer s.giveBack(p)
	for from := 0; from < len(t.lines); {
		wire.Reset()
		b, err := p.pack(t, from, c.records(from, s.options.BatchRecords), c.maxBytes, &wire)
		if err != nil {
			return fmt.Errorf("webhook: compress the window from %s: %w", m.start(), err)
		}
		b.wire = wire.Bytes()
		err = s.deliver(ctx, &b)
		if refused(err, &b) {
			c.refuse(err, from, &b)
			continue
		}
		if err != nil {
			return s.failed(m, &b, receipt, err)
		}
		receipt.Objects = append(receipt.Objects, b.object())
		from += len(b.lines)
	}
	return nil
}

// refused tells whether the receiver would take less of the batch.
func refused(err error, b *batch) bool { return (tooLarge(err) || unreadable(err)) && len(b.lines) > 1 }

// failed says which batch of the window could not be delivered, and how far the window got.
func (s *Sink) failed(m *mailing, b *batch, done *checkpoint.Receipt, err error) error {
	what := fmt.Sprintf("batch %s of %d records and %d bytes", b.id, len(b.lines), b.size)
	if len(b.lines) == 1 {
		r := bloodhound.Record{ID: b.lines[0].ID, CreatedAt: b.lines[0].CreatedAt}
		what = fmt.Sprintf("event %s of %d bytes", ndjson.EventID(s.options.Tenant, &r), b.size)
	}
	return fmt.Errorf("post to webhook %s: window from %s, %s, after %d of %d records: %w",
		s, m.start(), what, delivered(done), m.total, err)
}

func (m *mailing) start() string { return m.window.Start.Format(time.RFC3339Nano) }

// delivered is how many records the batches of a receipt have.
func delivered(r *checkpoint.Receipt) (n int) {
	for _, o := range r.Objects {
		n += o.Records
	}
	return n
}
