package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"houndtrail/checkpoint"
	"houndtrail/exporter/bloodhound"
	"houndtrail/exporter/window"
	"houndtrail/sink"
	"houndtrail/sink/ndjson"
)

// An encoder knows one wire format. Append adds the record to the batch, complete with whatever separates it from the
// next one.
type encoder interface {
	Append(dst []byte, r *bloodhound.Record) []byte
}

// inHand is how many windows are on their way: two are packed, or one that waits to be sent while one is.
const inHand = 2

// Sink posts the records of a window as batches. It is used by one stream: Prepare may run beside another one and beside
// the write of a window before.
type Sink struct {
	options Options
	url     *url.URL
	encode  encoder
	header  http.Header // of every request; each gets its own copy
	secrets []string    // that are the same in every request

	packers  sink.Spares[*packer]
	mailings sink.Spares[*mailing]
}

// New checks the options and returns the sink. It does not connect.
func New(o Options) (*Sink, error) {
	o = o.withDefaults()
	u, err := parseURL(o.URL)
	if err := errors.Join(err, o.check()); err != nil {
		return nil, err
	}
	s := &Sink{
		options: o, url: u, encode: ndjson.ForTenant(o.Tenant), header: http.Header{},
		packers:  sink.NewSpares(inHand, func() *packer { return newPacker(o) }, (*packer).held),
		mailings: sink.NewSpares(inHand, func() *mailing { return new(mailing) }, (*mailing).held),
	}
	s.header.Set("Content-Type", "application/x-ndjson")
	s.header.Set("User-Agent", "houndtrail/"+o.Version)
	for name, values := range o.Headers {
		s.header[http.CanonicalHeaderKey(name)] = slices.Clone(values)
		s.secrets = append(s.secrets, values...)
	}
	if o.Compression == Gzip {
		s.header.Set("Content-Encoding", "gzip")
	}
	s.secrets = append(s.secrets, urlSecrets(u)...)
	return s, nil
}

// String names the receiver for people, without its secrets.
func (s *Sink) String() string { return display(s.url) }

// Write posts the records in batches, in order, one after the other, and returns when the last one is acknowledged. The
// receipt has one object per batch: its key is batch/<batch id>, and Bytes and SHA256 are those of the body as sent.
//
// A failure in the middle leaves the batches before it at the receiver. The next Write of the window repeats them. An
// error with a [*StatusError] in its chain says that the receiver answered; with ctx.Err() in it, that ctx ended it.
func (s *Sink) Write(ctx context.Context, w window.Window, records []bloodhound.Record) (checkpoint.Receipt, error) {
	write, err := s.Prepare(w, records)
	if err != nil {
		return checkpoint.Receipt{}, err
	}
	return write(ctx)
}

// Prepare does the part of Write that sends nothing: it cuts and compresses the batches. What it returns does the rest,
// once, and without the records.
func (s *Sink) Prepare(
	w window.Window, records []bloodhound.Record,
) (write func(context.Context) (checkpoint.Receipt, error), err error) {
	p, m := s.packers.Take(), s.mailings.Take()
	defer s.packers.Give(p)
	m.lines = m.lines[:0]
	for i := range records {
		m.lines = append(m.lines, line{Stamp: sink.StampOf(&records[i])})
	}
	t := text{m.lines, func(dst []byte, i int) []byte { return s.encode.Append(dst, &records[i]) }}
	if err := m.pack(p, t, s.options.BatchBytes); err != nil {
		return nil, fmt.Errorf("webhook: compress the window from %s: %w", w.Start.Format(time.RFC3339Nano), err)
	}
	return func(ctx context.Context) (checkpoint.Receipt, error) {
		defer s.mailings.Give(m)
		return s.send(ctx, w, m)
	}, nil
}

// send posts the batches as they were packed, until one is too large for the receiver.
func (s *Sink) send(ctx context.Context, w window.Window, m *mailing) (checkpoint.Receipt, error) {
	var receipt checkpoint.Receipt
	for i := range m.batches {
		b := &m.batches[i]
		err := s.deliver(ctx, b)
		if refused(err, b) {
			return s.resend(ctx, w, m, i, receipt)
		}
		if err != nil {
			return checkpoint.Receipt{}, s.failed(w, m, b, receipt, err)
		}
		receipt.Objects = append(receipt.Objects, b.object())
	}
	return receipt, nil
}

// resend posts the batches from the refused one on, cut smaller. The limit is learnt again in every window, at the price
// of a few refusals: a window that is sent again must be cut at the same places, or its batch ids would differ.
func (s *Sink) resend(
	ctx context.Context, w window.Window, m *mailing, first int, receipt checkpoint.Receipt,
) (checkpoint.Receipt, error) {
	limit := m.batches[first].size / 2
	t, err := unpack(s.options.Compression, m.batches[first:])
	if err != nil {
		return checkpoint.Receipt{}, fmt.Errorf("webhook: unpack the window from %s to cut it smaller: %w", w.Start.Format(time.RFC3339Nano), err)
	}
	var wire bytes.Buffer
	p := s.packers.Take()
	defer s.packers.Give(p)
	for from := 0; from < len(t.lines); {
		wire.Reset()
		b, err := p.pack(t, from, limit, &wire)
		if err != nil {
			return checkpoint.Receipt{}, fmt.Errorf("webhook: compress the window from %s: %w", w.Start.Format(time.RFC3339Nano), err)
		}
		b.wire = wire.Bytes()
		err = s.deliver(ctx, &b)
		if refused(err, &b) {
			limit = b.size / 2
			continue
		}
		if err != nil {
			return checkpoint.Receipt{}, s.failed(w, m, &b, receipt, err)
		}
		receipt.Objects = append(receipt.Objects, b.object())
		from += len(b.lines)
	}
	return receipt, nil
}

// refused tells whether the receiver would take less of the batch.
func refused(err error, b *batch) bool { return tooLarge(err) && len(b.lines) > 1 }

// failed says which batch of the window could not be delivered, and how far the window got.
func (s *Sink) failed(w window.Window, m *mailing, b *batch, done checkpoint.Receipt, err error) error {
	sent := 0
	for _, o := range done.Objects {
		sent += o.Records
	}
	return fmt.Errorf("post to webhook %s: window from %s, batch %s of %d records and %d bytes, after %d of %d records: %w",
		s, w.Start.Format(time.RFC3339Nano), b.id, len(b.lines), b.size, sent, len(m.lines), err)
}
