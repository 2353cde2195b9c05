package webhook

import (
	"context"
	"iter"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
)

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
