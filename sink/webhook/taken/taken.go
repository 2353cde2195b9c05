// Package taken remembers which batches of uncommitted windows a receiver has taken. After a kill, the next process sends only the
// other batches again.
//
// The memory is one small object beside the journal, <stream>/state/taken.json. The runs of the stream write it, under the journal's
// lease, after a receiver has taken a batch. The journal does not depend on it. If it is missing, makes no sense, or cannot be written,
// the batches come again, each under the same batch id.
//
// The object never makes a run leave out a record that the receiver has not taken. It names a batch by the SHA-256 of its whole body,
// within a window (start, end and pass), at a destination, in a journal. All of them must be the same, to the last bit. So an object of
// another journal, an earlier destination or another form of the records matches nothing. A window that was committed never comes
// again: after a reset or an adoption, windows have another pass.
//
// A crash at any line of this package leaves an object that names fewer batches than the receiver has, and never more: [Memory.Add]
// writes after the acknowledgement. The store replaces an object as a whole.
package taken

import (
	"context"
	"encoding/hex"
	"maps"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/exporter/window"
)

const (
	// mostWindows is how many windows the object names. A stream has a few windows under way.
	mostWindows = 16
	// mostBatches is how many batches it names in all windows: about 150 kB. If there are more, the oldest window goes. A window of its
	// own with more batches has the first ones.
	mostBatches = 2000
)

// A Record is the content of the object.
type Record struct {
	For     string   `json:"for"` // the journal and the destination, as [Options.For] names them
	Windows []Window `json:"windows"`
}

// A Window has the batches of a window that the receiver has taken.
type Window struct {
	Start   time.Time      `json:"start"`
	End     time.Time      `json:"end"`
	Pass    uint64         `json:"pass,omitempty"`
	Batches map[string]int `json:"batches"` // by the SHA-256 of the body as sent: how many records the receiver has put aside
}

func (w *Window) is(of window.Window) bool {
	return w.Start.Equal(of.Start) && w.End.Equal(of.End) && w.Pass == of.Pass
}

// A State is the object. If it is missing or makes no sense, Read returns the zero value.
type State interface {
	Read(ctx context.Context) (Record, error)
	Write(ctx context.Context, r Record) error
}

// Options are the parts of a memory.
type Options struct {
	State State
	// For names the journal and the destination, in all that makes a batch another one. "" means that the journal has no name yet: then
	// the memory remembers nothing.
	For func() string
	Log *zap.Logger
}

// A Memory is the memory of a stream. It is safe for concurrent use. A nil Memory remembers nothing.
type Memory struct {
	options Options

	mu     sync.Mutex // guards the fields below
	loaded bool
	mine   string // For, when the memory was read
	known  []Window
	added  int // how many batches were added

	writing sync.Mutex
	written int // as many of the added batches as the object names; guarded by writing
	silent  bool
}

// New makes a memory. It does not touch the store.
func New(o Options) *Memory { return &Memory{options: o} }

// Has tells whether the receiver has taken the body of that SHA-256 for a window, and how many of its records it has put aside.
func (m *Memory) Has(ctx context.Context, w window.Window, sum [32]byte) (aside int, ok bool) {
	if m == nil {
		return 0, false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.ready(ctx) {
		return 0, false
	}
	if i := m.find(w); i >= 0 {
		aside, ok = m.known[i].Batches[hex.EncodeToString(sum[:])]
	}
	return aside, ok
}

// Add remembers that the receiver has taken a body. When it returns, the object names the body, unless the store has failed or ctx has
// ended. Calls at the same time share a write.
func (m *Memory) Add(ctx context.Context, w window.Window, sum [32]byte, aside int) {
	if m == nil || ctx.Err() != nil {
		return
	}
	m.mu.Lock()
	if !m.ready(ctx) {
		m.mu.Unlock()
		return
	}
	m.add(w, hex.EncodeToString(sum[:]), aside)
	m.added++
	number := m.added
	m.mu.Unlock()

	m.writing.Lock()
	defer m.writing.Unlock()
	if m.written >= number || ctx.Err() != nil {
		return
	}
	m.mu.Lock()
	r, upTo := m.record(), m.added
	m.mu.Unlock()
	// A crash before this write, or in it, makes the next process send the batch again.
	if err := m.options.State.Write(ctx, r); err != nil {
		if !m.silent && ctx.Err() == nil {
			m.silent = true
			m.options.Log.Warn("the batches that the receiver has taken could not be written down: after a kill, they come again, with the "+
				"same event ids", zap.Error(err))
		}
		return
	}
	m.written, m.silent = upTo, false
}

// ready reads the object, the first time that the journal has a name. After the name has changed, the memory begins anew.
func (m *Memory) ready(ctx context.Context) bool {
	mine := m.options.For()
	if mine == "" {
		return false
	}
	if m.loaded && mine == m.mine {
		return true
	}
	r := Record{}
	if !m.loaded {
		var err error
		if r, err = m.options.State.Read(ctx); err != nil {
			if ctx.Err() != nil {
				return false
			}
			m.options.Log.Warn("which batches the receiver has taken before a kill is not known, and they come again, with the same event ids",
				zap.Error(err))
		}
	}
	m.loaded, m.mine, m.known = true, mine, nil
	if r.For == mine {
		m.known = r.Windows
	}
	return true
}

func (m *Memory) find(w window.Window) int {
	return slices.IndexFunc(m.known, func(k Window) bool { return k.is(w) })
}

// add moves the window to the end, and adds the batch to it.
func (m *Memory) add(w window.Window, sum string, aside int) {
	of := Window{Start: w.Start.UTC(), End: w.End.UTC(), Pass: w.Pass}
	if i := m.find(w); i >= 0 {
		of = m.known[i]
		m.known = slices.Delete(m.known, i, i+1)
	}
	if of.Batches == nil {
		of.Batches = map[string]int{}
	}
	if len(of.Batches) < mostBatches {
		of.Batches[sum] = aside
	}
	m.known = append(m.known, of)
	for len(m.known) > mostWindows || len(m.known) > 1 && m.batches() > mostBatches {
		m.known = slices.Delete(m.known, 0, 1)
	}
}

func (m *Memory) batches() (n int) {
	for _, w := range m.known {
		n += len(w.Batches)
	}
	return n
}

// record is a copy, since the windows change while the store writes it.
func (m *Memory) record() Record {
	r := Record{For: m.mine}
	for _, w := range m.known {
		of := w
		of.Batches = maps.Clone(w.Batches)
		r.Windows = append(r.Windows, of)
	}
	return r
}
