package exporter

import (
	"context"
	"sync"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/record"
)

// An encoding is the part of a window's delivery that touches nothing outside. It runs in a goroutine of its own.
type encoding struct {
	done  chan struct{}
	write encodedWindow // read it and err only after done is closed
	err   error
}

// An encodedWindow writes itself, once.
type encodedWindow = func(context.Context) (checkpoint.Receipt, error)

// encode lets the sink encode the fresh records of a window, as far as the sink can before the window's turn. encode releases
// the records once the sink no longer needs them.
func (e *Exporter) encode(under *sync.WaitGroup, s span, fresh []record.Record) *encoding {
	enc := &encoding{done: make(chan struct{})}
	under.Go(func() {
		defer close(enc.done)
		defer s.Release()
		var held int64
		enc.write, held, enc.err = e.Sink.Prepare(s.Window, fresh)
		s.loan.Keep(held)
	})
	return enc
}

// wait returns when the window can be written, or with the error of encoding it. The encoding does not keep the function that
// it returns, so its memory is free when the window has been written.
func (enc *encoding) wait() (write encodedWindow, err error) {
	<-enc.done
	write, enc.write = enc.write, nil
	return write, enc.err
}
