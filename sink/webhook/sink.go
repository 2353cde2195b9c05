package webhook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"houndtrail/checkpoint"
	"houndtrail/exporter/bloodhound"
	"houndtrail/exporter/transport"
	"houndtrail/exporter/window"
	"houndtrail/sink"
	"houndtrail/sink/ndjson"
)

// An encoder knows one wire format. Append adds the record to the batch, complete with whatever separates it from the
// next one.
type encoder interface {
	Append(dst []byte, r *bloodhound.Record) []byte
	// Write writes the same, and holds a part of it at a time.
	Write(w io.Writer, r *bloodhound.Record) (int, error)
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

	transport  http.RoundTripper
	packers    sink.Spares[*packer]
	mailings   sink.Spares[*mailing]
	unfinished atomic.Pointer[progress] // of the window whose delivery failed last; nil for none
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
		transport: transport.Bound(o.Transport, transport.Bounds{Idle: min(answerIdle, o.Timeout), Log: o.Log}),
		packers:   sink.NewSpares(inHand, func() *packer { return newPacker(o) }, (*packer).held),
		mailings:  sink.NewSpares(inHand, func() *mailing { return new(mailing) }, (*mailing).held),
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
// A failure in the middle leaves the batches before it at the receiver. The next Write of the window goes on behind them;
// that of another process repeats them. An error with a [*StatusError] in its chain says that the receiver answered; with a
// [*PostponedError], that it asks to be left alone; with ctx.Err() in it, that ctx ended it.
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
	defer s.giveBack(p)
	m.window, m.total = w, len(records)
	m.earlier, records = s.unfinished.Load().goOn(w, records)
	m.lines = m.lines[:0]
	for i := range records {
		m.lines = append(m.lines, line{Stamp: sink.StampOf(&records[i])})
	}
	t := text{
		lines:  m.lines,
		append: func(dst []byte, i int) []byte { return s.encode.Append(dst, &records[i]) },
		least:  func(i int) int { return len(records[i].Raw) },
		write:  func(w io.Writer, i int) (int, error) { return s.encode.Write(w, &records[i]) },
	}
	if err := m.pack(p, t, s.options.BatchBytes); err != nil {
		return nil, fmt.Errorf("webhook: compress the window from %s: %w", w.Start.Format(time.RFC3339Nano), err)
	}
	return func(ctx context.Context) (checkpoint.Receipt, error) {
		defer s.mailings.Give(m)
		return s.send(ctx, m)
	}, nil
}

// giveBack keeps the packer for another window, and not what it wrote to.
func (s *Sink) giveBack(p *packer) {
	p.zip.Reset(io.Discard)
	s.packers.Give(p)
}
