package webhook

import (
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
	"houndtrail/sink/ndjson"
)

// An encoder knows one wire format. Append adds the record to the batch, complete with whatever separates it from the
// next one.
type encoder interface {
	Append(dst []byte, r *bloodhound.Record) []byte
}

// lines is the encoder of NDJSON; its value is the tenant.
type lines string

func (tenant lines) Append(dst []byte, r *bloodhound.Record) []byte {
	return ndjson.AppendLine(dst, string(tenant), r)
}

// Sink posts the records of a window as batches. It is safe for concurrent use and keeps nothing between two Writes
// but its connections.
type Sink struct {
	options Options
	url     *url.URL
	encode  encoder
	header  http.Header // of every request; each gets its own copy
	secrets []string    // that are the same in every request
}

// New checks the options and returns the sink. It does not connect.
func New(o Options) (*Sink, error) {
	o = o.withDefaults()
	u, err := parseURL(o.URL)
	if err := errors.Join(err, o.check()); err != nil {
		return nil, err
	}
	s := &Sink{options: o, url: u, encode: lines(o.Tenant), header: http.Header{}}
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
// receipt has one object per batch: its key is batch/<batch id>, and Bytes and SHA256 are those of the uncompressed body,
// which anybody can build again from the records.
//
// A failure in the middle leaves the batches before it at the receiver. The next Write of the window repeats them. An
// error with a [*StatusError] in its chain says that the receiver answered; with ctx.Err() in it, that ctx ended it.
func (s *Sink) Write(ctx context.Context, w window.Window, records []bloodhound.Record) (checkpoint.Receipt, error) {
	var (
		receipt checkpoint.Receipt
		b       batch // its buffers serve every batch of the window, and an idle daemon holds none
		limit   = s.options.BatchBytes
	)
	for rest := records; len(rest) > 0; {
		b.fill(s.encode, rest, s.options.BatchRecords, limit)
		if err := b.seal(s.options.Compression); err != nil {
			return checkpoint.Receipt{}, fmt.Errorf("webhook: compress a batch of %d bytes: %w", len(b.plain), err)
		}
		err := s.deliver(ctx, &b)
		if tooLarge(err) && len(b.records) > 1 {
			// The limit is learnt again in every window, at the price of a few refusals: a window that is
			// sent again must be cut at the same places, or its batch ids would differ.
			limit = len(b.plain) / 2
			continue
		}
		if err != nil {
			done := len(records) - len(rest)
			return checkpoint.Receipt{}, fmt.Errorf(
				"post to webhook %s: window from %s, batch %s of %d records and %d bytes, after %d of %d records: %w",
				s, w.Start.Format(time.RFC3339Nano), b.id(), len(b.records), len(b.plain), done, len(records), err)
		}
		receipt.Objects = append(receipt.Objects, b.object())
		rest = rest[len(b.records):]
	}
	return receipt, nil
}
