package exporter

import (
	"context"
	"sync"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/record"
)

// An encoding is the part of a window's delivery that touches nothing outside, under way in a goroutine of its own.
type encoding struct {
	done  chan struct{}
	write encodedWindow // to be looked at after done is closed, and so is err
	err   error
}

// An encodedWindow writes itself, once.
type encodedWindow = func(context.Context) (checkpoint.Receipt, error)

// encode has what is fresh of a window encoded, as far as the sink can ahead of its turn. The records are released once the sink
// has taken what it needs of them.
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

// wait returns when there is something to write, or the error of encoding it. The encoding lets go of what it returns, so
// that its memory is free when it has been written.
func (enc *encoding) wait() (write encodedWindow, err error) {
	<-enc.done
	write, enc.write = enc.write, nil
	return write, enc.err
}
