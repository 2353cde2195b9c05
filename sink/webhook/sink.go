package webhook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/config/setting"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/transport"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink"
	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/webhook/authorize"
	"github.com/houndtrail/houndtrail/sink/webhook/format"
)

// inHand is the number of windows for which the sink keeps buffers.
const inHand = 6

// A Sink posts the records of a window as batches. One stream uses it. It is safe for concurrent use with different windows: the
// stream may prepare and write any number at a time. Attempts at one window come one after the other.
type Sink struct {
	options Options
	url     *url.URL // as the user gave it
	address *url.URL // to which the sink posts batches
	format  format.Format
	limits  format.Limits
	header  http.Header // of every request; each request gets its own copy
	secrets []string    // those that are the same in every request

	proof      authorize.Authorizer
	transport  http.RoundTripper
	packers    sink.Pool[*packer]
	windows    sink.Pool[*preparedWindow]
	inFlight   *semaphore.Weighted // a place for each batch in flight, also while it waits for another attempt
	unnoted    *semaphore.Weighted // a place for each batch that the receiver has taken, and that Taken does not name yet
	sending    atomic.Int64        // windows that the sink sends now
	longAnswer *semaphore.Weighted // the sink reads one long answer at a time
	recutRoom  *semaphore.Weighted // bytes of the texts of batches that the sink cuts smaller
	recutting  sync.Mutex          // one batch at a time loses the records that the receiver has
	unfinished unfinished
	slowUntil  atomic.Int64 // until this time, in nanoseconds since the epoch, half as many batches are in flight
	ackless    atomic.Bool  // a batch got no acknowledgement in any of its rounds, and no acknowledgement has come since
	advised    atomic.Bool  // advise has told people that the receiver refuses batches for their size
}

// New checks the options and returns the sink. It does not connect to the receiver.
func New(o Options) (*Sink, error) {
	o = o.withDefaults()
	u, err := parseURL(o.URL)
	f, unknown := format.New(o.Format, format.Options{
		Tenant: o.Tenant, Compression: o.Compression, Expect: o.Expect, RecordBytes: o.RecordBytes, AllowStale: o.AllowStale, HEC: o.HEC,
		BareLines: o.BareLines, Schema: o.Schema, TrustedProxies: o.TrustedProxies,
	})
	if unknown != nil {
		unknown = fmt.Errorf("webhook: "+setting.WebhookFormat+": %w", unknown)
	}
	if err := errors.Join(err, unknown, o.check()); err != nil {
		return nil, err
	}
	proof, carrier, err := o.proof(f.Credential())
	if err != nil {
		return nil, err
	}
	o = o.within(f.Limits())
	s := &Sink{
		options: o, url: u, address: f.Address(u), format: f, limits: f.Limits(), header: http.Header{}, proof: proof,
		transport: transport.Bound(carrier, transport.Bounds{Idle: min(answerIdle, o.Timeout), Log: o.Log}),
		packers:   sink.NewPool(inHand, func() *packer { return newPacker(o, f.Limits()) }, (*packer).held),
		windows:   sink.NewPool(inHand, func() *preparedWindow { return new(preparedWindow) }, (*preparedWindow).held),
		inFlight:  semaphore.NewWeighted(int64(o.InFlight)),
		unnoted:   semaphore.NewWeighted(int64(o.InFlight)),

		longAnswer: semaphore.NewWeighted(1), recutRoom: semaphore.NewWeighted(recutBytes),
	}
	s.header.Set("Content-Type", f.ContentType())
	s.header.Set("User-Agent", "houndtrail/"+o.Version)
	if o.Compression != ndjson.None {
		s.header.Set("Content-Encoding", string(o.Compression))
	}
	s.secrets = append(s.secrets, urlSecrets(u)...)
	return s, nil
}

// String names the receiver for people, without its secrets.
func (s *Sink) String() string { return display(s.url) }

// InOrder tells whether the stream has to write windows one after the other, in the order of their time.
func (s *Sink) InOrder() bool { return s.limits.Ordered }

// Name is the name of the receiver at a URL, for people and journals. It has no secrets, and is the [Sink.String] of the sink for
// that URL.
func Name(rawURL string) (string, error) {
	u, err := parseURL(rawURL)
	if err != nil {
		return "", err
	}
	return display(u), nil
}

// Prepare cuts and compresses the batches, and sends nothing. It does not keep the records. The batches take size bytes until the
// caller calls write. The caller calls write once.
//
// write posts the batches, several at a time. It returns when the receiver has acknowledged every batch. The receipt has one object
// per batch, in the order of the records. Its key is batch/<batch id>. Its Bytes and SHA256 are those of the body as sent.
//
// After a failure, the receiver may have other batches, before and behind the one that failed. The next attempt at the window sends
// only the rest, as the package's comment says. Another process sends all of them again. If a [*StatusError] is in the chain of the
// error, the receiver answered. If a [*PostponedError] is in it, the receiver asks for a pause. If ctx.Err() is in it, ctx ended
// the write.
func (s *Sink) Prepare(
	w window.Window, records []record.Record,
) (write func(context.Context) (checkpoint.Receipt, error), size int64, err error) {
	return s.prepare(w, records, false)
}

// prepare is Prepare for a window or for a part of a window.
func (s *Sink) prepare(
	w window.Window, records []record.Record, part bool,
) (write func(context.Context) (checkpoint.Receipt, error), size int64, err error) {
	p, m := s.packers.Take(), s.windows.Take()
	defer s.giveBack(p)
	m.window, m.part = w, part
	m.list(records, s.unfinished.find(w))
	record := func(i int) *record.Record { return &records[m.lines[i].at] }
	walk := format.Walk{Pass: w.Pass}
	t := text{
		walk: walk, frame: s.format.Frame(walk),
		lines:  m.lines,
		append: func(dst []byte, i int) []byte { return s.format.Append(dst, record(i)) },
		least:  func(i int) int { return len(record(i).Raw) },
		write:  func(w io.Writer, i int) (int, error) { return s.format.Write(w, record(i)) },
	}
	m.cut = 0
	for i := range m.lines {
		if most := s.limits.Record; most > 0 && len(record(i).Raw) > most {
			m.cut++
		}
	}
	if err := m.pack(p, t, s.options.BatchBytes); err != nil {
		return nil, 0, fmt.Errorf("webhook: compress the window from %s: %w", w.Start.Format(time.RFC3339Nano), err)
	}
	return func(ctx context.Context) (checkpoint.Receipt, error) {
		defer s.windows.Give(m)
		return s.send(ctx, m)
	}, int64(m.held() + s.answerRoom(m)), nil
}

// giveBack keeps the packer for another window, without the buffer that the packer wrote to.
func (s *Sink) giveBack(p *packer) {
	p.zip.Reset(io.Discard)
	s.packers.Give(p)
}

// answerRoom is how much memory a long answer to one of the batches may take, in bytes.
func (s *Sink) answerRoom(m *preparedWindow) int {
	if s.limits.AnswerRecord == 0 || len(m.batches) == 0 {
		return 0
	}
	most := 0
	for i := range m.batches {
		most = max(most, len(m.batches[i].lines))
	}
	return s.answerBound(most)
}
