package exporter_test

import (
	"context"
	"iter"
	"slices"
	"strings"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// A taker takes the records of a window.
type taker interface {
	take(records []record.Record) error
}

// A whole is a sink that gives each window to a taker as a whole, with no receipt.
type whole struct{ taker }

func (s whole) Prepare(
	_ window.Window, records []record.Record,
) (func(context.Context) (checkpoint.Receipt, error), int64, error) {
	kept := slices.Clone(records)
	for i := range kept { // the rest of a record is a view into its page
		kept[i] = record.Record{ID: kept[i].ID, CreatedAt: kept[i].CreatedAt, Action: strings.Clone(kept[i].Action)}
	}
	return func(context.Context) (checkpoint.Receipt, error) { return checkpoint.Receipt{}, s.take(kept) }, 0, nil
}

func (s whole) WriteParts(
	ctx context.Context, w window.Window, parts iter.Seq2[[]record.Record, error],
) (receipt checkpoint.Receipt, err error) {
	for records, err := range parts {
		if err != nil {
			return receipt, err
		}
		write, _, err := s.Prepare(w, records)
		if err != nil {
			return receipt, err
		}
		if _, err := write(ctx); err != nil {
			return receipt, err
		}
	}
	return receipt, nil
}
