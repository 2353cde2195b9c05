package sinktest

import (
	"context"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// Prepare makes a sink prepare several windows of two days at the same time, takes the records away, and writes the windows in
// their order. It returns the records, and fails the test if a receipt does not cover them.
func Prepare(tb testing.TB, sink Sink, windows int) (all []record.Record) {
	tb.Helper()
	const each = 300
	writes, held := make([]func(context.Context) (checkpoint.Receipt, error), windows), make([]int64, windows)
	var preparing errgroup.Group
	for i := range windows {
		w := window.Window{Start: midnight.Add(time.Duration(i)*24*time.Hour - each/2*time.Second)}
		w.End = w.Start.Add(each * time.Second)
		records := Generate(tb, int64(i*each+1), each, w.Start, time.Second)
		all = append(all, slices.Clone(records)...)
		preparing.Go(func() (err error) {
			writes[i], held[i], err = sink.Prepare(w, records)
			clear(records) // the next window uses their memory
			return err
		})
	}
	if err := preparing.Wait(); err != nil {
		tb.Fatalf("prepare: %v", err)
	}
	for i, write := range writes {
		receipt, err := write(tb.Context())
		if err != nil {
			tb.Fatalf("write window %d: %v", i, err)
		}
		written, bytes := 0, int64(0)
		for _, o := range receipt.Objects {
			written += o.Records
			bytes += o.Bytes
		}
		if held[i] < bytes {
			tb.Errorf("window %d was said to hold %d bytes, and its objects have %d", i, held[i], bytes)
		}
		if written != each || receipt.Objects[0].MinID != all[i*each].ID {
			tb.Errorf("window %d: the receipt has %d records from id %d on, want %d from %d on",
				i, written, receipt.Objects[0].MinID, each, all[i*each].ID)
		}
	}
	return all
}
