package simulation

import (
	"io"
	"os"
	"sync"
	"testing"

	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
	sink "github.com/houndtrail/houndtrail/sink/archive"
)

// An outside runs work outside of all bubbles. The Parquet library keeps decoders in pools that all bubbles share, and
// a decoder has channels: it must not belong to a bubble.
type outside struct {
	mu   sync.Mutex
	jobs chan func()
	done chan struct{}
}

var library = outside{jobs: make(chan func()), done: make(chan struct{})}

func TestMain(m *testing.M) {
	go library.serve()
	os.Exit(m.Run())
}

func (o *outside) serve() {
	for job := range o.jobs {
		var end sync.WaitGroup
		end.Go(job) // in a goroutine of its own, because a test that fails there ends its goroutine
		end.Wait()
		o.done <- struct{}{}
	}
}

func (o *outside) run(job func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.jobs <- job
	<-o.done
}

// A foreign encoder works outside.
type foreign struct{ sink.Encoder }

// Encode implements archive.Encoder.
func (f foreign) Encode(w io.Writer, win window.Window, records []record.Record) (err error) {
	library.run(func() { err = f.Encoder.Encode(w, win, records) })
	return err
}

// IDs implements archive.Encoder.
func (f foreign) IDs(object []byte) (ids []int64, err error) {
	library.run(func() { ids, err = f.Encoder.IDs(object) })
	return ids, err
}
