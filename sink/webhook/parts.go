package webhook

import (
	"context"
	"iter"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// WriteParts is for records that come part by part: the batches of a part are acknowledged before the next part is asked
// for. What was acknowledged of any part is remembered until all of them are, so that the next attempt sends the rest alone,
// as far as batches do not reach from one of its parts into another.
func (s *Sink) WriteParts(
	ctx context.Context, w window.Window, parts iter.Seq2[[]record.Record, error],
) (all checkpoint.Receipt, err error) {
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
	}
	s.unfinished.set(w, nil)
	return all, nil
}
