package bloodhound

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/page"
	"github.com/houndtrail/houndtrail/exporter/record"
)

// FetchParts is Fetch for a span that does not fit into memory, such as one instant of very many records. It calls use for one
// part of the span after another, the newest first, and then drops the part. A part ends with the page that reaches the limits.
// So every span fits, however large it is. The records of a part are sorted, and each is there once. Records at the end of a
// part may come once more in the next part.
//
// The batch that it returns has everything except the records. If use returns an error, FetchParts stops and returns that
// error.
func (c *Client) FetchParts(
	ctx context.Context, after, before time.Time, limits Limits, use func(records []record.Record) error, count ...time.Time,
) (Batch, error) {
	parts := &parts{use: use, whole: batch{scanned: make(chan struct{})}}
	close(parts.whole.scanned)
	r := reader{c: c, b: c.newBatch(limits.Share), limits: limits, count: count, before: before, parts: parts}
	err := r.span(ctx, after, before)
	close(r.b.arrived)
	if err == nil {
		err = parts.take(r.b)
	}
	r.b.Release()
	switch {
	case parts.refused != nil:
		return nil, parts.refused
	case err != nil:
		return nil, spanError(after, before, err)
	}
	return &parts.whole, nil
}

func spanError(after, before time.Time, err error) error {
	return fmt.Errorf("reading the audit log from %s to %s: %w", page.FormatTime(after), page.FormatTime(before), err)
}

// parts takes a span part by part. It keeps everything except the records.
type parts struct {
	use     func(records []record.Record) error
	whole   batch // without records
	refused error // the error that use returned
}

// bound keeps the memory within the limits. If the batch has too much, it returns an error, or ends a part.
func (r *reader) bound(oldest time.Time) error {
	if r.parts == nil {
		return r.limits.check(r.b, oldest, r.before)
	}
	if r.limits.share(r.b.rows, r.b.held) < 1 {
		return nil
	}
	full := r.b
	close(full.arrived)
	defer full.Release()
	r.b = r.c.newBatch(r.limits.Share)
	return r.parts.take(full)
}

// take calls use with the records of a part, and keeps the part's other figures.
func (p *parts) take(b *batch) error {
	if err := b.Wait(); err != nil {
		return err
	}
	p.whole.clock = b.clock
	p.whole.counts = append(p.whole.counts, b.counts...)
	for _, h := range b.unprinted {
		if h.ID == 0 || !slices.ContainsFunc(p.whole.unprinted, h.is) { // two neighbouring pages may share the row at their edge
			p.whole.unprinted = append(p.whole.unprinted, h)
		}
	}
	for _, h := range b.refused {
		if !slices.ContainsFunc(p.whole.refused, func(other Hole) bool { return bytes.Equal(other.Raw, h.Raw) }) {
			p.whole.refused = append(p.whole.refused, h)
		}
	}
	if n := max(len(p.whole.unprinted), len(p.whole.refused)); n > maxHoles {
		return tooManyHoles(fmt.Errorf("%d of them are known", n))
	}
	if len(b.records) == 0 {
		return nil
	}
	p.refused = p.use(b.records)
	return p.refused
}

// is tells whether two holes are the same row.
func (h Hole) is(other Hole) bool { return h.ID == other.ID && h.CreatedAt.Equal(other.CreatedAt) }
