package webhook

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"slices"

	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink"
	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/webhook/format"
)

// A batch is the content of one POST.
type batch struct {
	lines  []line
	walk   format.Walk
	events int    // how many events it has that are no records
	round  int    // how often Houndtrail has sent it again because no acknowledgement came
	id     string // made from the events in it
	aside  int    // how many of its records the receiver has stored in another place, by its last answer
	size   int    // of the body before compression
	wire   []byte // the body as Houndtrail sends it
	sum    [sha256.Size]byte
}

// A line is a record in its form as an item of a body.
type line struct {
	sink.Stamp
	at     int  // the record's index among those of the window
	begins bool // it begins a batch, as it did in an earlier attempt
	size   int  // of the text; pack sets it
}

// about is the batch in the form that the format sees.
func (b *batch) about() format.Batch {
	return format.Batch{Walk: b.walk, ID: b.id, Records: len(b.lines) + b.events, Bytes: b.size, Round: b.round}
}

// A text gives the lines: those of a window's records, or those of an existing batch.
type text struct {
	walk   format.Walk
	frame  format.Frame
	lines  []line
	append func(dst []byte, i int) []byte        // the text of line i
	least  func(i int) int                       // how many bytes line i has at least
	write  func(w io.Writer, i int) (int, error) // the same as append, for long lines
}

// A packer makes batches, and keeps its buffers for the next batch.
type packer struct {
	tenant     string
	maxRecords int
	alone      int // a line of this size or more is a batch by itself

	plain  []byte // not yet compressed
	events []byte // the bytes from which id makes the batch's id
	zip    ndjson.Compressor
}

func newPacker(o Options, l format.Limits) *packer {
	return &packer{tenant: o.Tenant, maxRecords: o.BatchRecords, alone: l.Alone, zip: o.Compression.Writer()}
}

// held is how many bytes the buffers have.
func (p *packer) held() int { return cap(p.plain) + cap(p.events) }

const (
	// If a line has veryLongLine bytes or more, Houndtrail saves memory and not time.
	veryLongLine = 4 << 20
	// piece is how many bytes of text the packer compresses at a time, while they are still in the processor's cache.
	piece = 32 << 10
)

// pack appends a body to wire: the body of the batch that begins with line from. It takes as many lines as fit into both bounds,
// but at least the first one. It stops before a line that begins a batch. The caller sets the wire of the batch, since a buffer
// moves when it grows.
func (p *packer) pack(t text, from, maxRecords, maxBytes int, wire *bytes.Buffer) (batch, error) {
	if err := p.makeRoom(t, from, wire); err != nil {
		return batch{}, err
	}
	start := wire.Len()
	body := p.begin(wire)
	p.plain = append(p.plain, t.frame.Open...)
	n, size := from, len(t.frame.Open)+len(t.frame.Close)
	for n < min(len(t.lines), from+maxRecords) && (n == from || !t.lines[n].begins) {
		if t.least(n) >= p.alone {
			if n == from {
				if err := p.write(t, n, body); err != nil {
					return batch{}, err
				}
				size += t.lines[n].size
				n++
			}
			break
		}
		end := len(p.plain)
		if n > from {
			p.plain = append(p.plain, t.frame.Between...)
		}
		item := len(p.plain)
		p.plain = t.append(p.plain, n)
		line, more := len(p.plain)-item, len(p.plain)-end
		if n > from && (line >= p.alone || size+more > maxBytes) {
			p.plain = p.plain[:end] // the next batch begins with this line
			break
		}
		t.lines[n].size = line
		size += more
		n++
		if len(p.plain) >= piece {
			if err := p.flush(body); err != nil {
				return batch{}, err
			}
		}
		if line >= p.alone {
			break
		}
	}
	p.plain = append(p.plain, t.frame.Close...)
	if err := errors.Join(p.flush(body), body.Close()); err != nil {
		return batch{}, err
	}
	lines := t.lines[from:n]
	return batch{walk: t.walk, lines: lines, id: p.id(lines), size: size, sum: sha256.Sum256(wire.Bytes()[start:])}, nil
}

// write writes a line that is too long to be in memory as a whole.
func (p *packer) write(t text, n int, body io.Writer) error {
	err := p.flush(body)
	if err == nil {
		t.lines[n].size, err = t.write(body, n)
	}
	return err
}

// makeRoom makes the room for a batch of one very long line. A buffer that grows by doubling needs three times the memory of its
// content while it grows. So makeRoom compresses the line an extra time, to learn the compressed size.
func (p *packer) makeRoom(t text, line int, wire *bytes.Buffer) error {
	if t.least(line) < veryLongLine {
		return nil
	}
	var size counter
	body := p.begin(&size)
	_, err := t.write(body, line)
	err = errors.Join(err, body.Close())
	wire.Grow(int(size))
	return err
}

// A counter is a writer that only counts the bytes.
type counter int

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// id is the first half of a SHA-256. This is enough to tell the batches of one receiver apart. It covers the parts of the event
// ids: the tenant, then the id and the microseconds of each record, 8 bytes each. So the id is the same with every compression of
// the batch, and in every version of the program that sends it again.
func (p *packer) id(lines []line) string {
	p.events = append(p.events[:0], p.tenant...)
	for i := range lines {
		p.events = binary.BigEndian.AppendUint64(p.events, uint64(lines[i].ID))
		p.events = binary.BigEndian.AppendUint64(p.events, uint64(lines[i].CreatedAt.UnixMicro()))
	}
	sum := sha256.Sum256(p.events)
	return hex.EncodeToString(sum[:len(sum)/2])
}

// begin starts a body.
func (p *packer) begin(wire io.Writer) io.WriteCloser {
	p.plain = p.plain[:0]
	p.zip.Reset(wire)
	return p.zip
}

func (p *packer) flush(body io.Writer) error {
	_, err := body.Write(p.plain)
	p.plain = p.plain[:0]
	return err
}

// A preparedWindow is a window in the form of batches. The next window uses its memory.
type preparedWindow struct {
	window  window.Window
	total   int       // of the window's records
	part    bool      // this is one of several parts of the window
	cut     int       // how many records the format cuts for the receiver
	earlier []portion // an earlier attempt delivered these, so lines does not have them
	others  []portion // an earlier attempt delivered these, and they are in other parts

	begins map[event]bool // the first record of each batch of an earlier attempt

	lines   []line
	batches []batch
	wire    bytes.Buffer // of all batches
}

// held is how many bytes the buffers have.
func (m *preparedWindow) held() int { return m.wire.Cap() }

// pack cuts the text into batches.
func (m *preparedWindow) pack(p *packer, t text, maxBytes int) error {
	m.batches = m.batches[:0]
	m.wire.Reset()
	for from := 0; from < len(t.lines); {
		start := m.wire.Len()
		b, err := p.pack(t, from, p.maxRecords, maxBytes, &m.wire)
		if err != nil {
			return err
		}
		b.wire = m.wire.Bytes()[start:] // the loop below sets it again, since the buffer may still move
		from += len(b.lines)
		m.batches = append(m.batches, b)
	}
	start := 0
	for i := range m.batches {
		end := start + len(m.batches[i].wire)
		m.batches[i].wire = m.wire.Bytes()[start:end:end]
		start = end
	}
	return nil
}

// unpack returns the text of a batch that pack made.
func unpack(c ndjson.Compression, b *batch, frame format.Frame) (text, error) {
	body, err := c.Reader(bytes.NewReader(b.wire))
	if err != nil {
		return text{}, err
	}
	plain, err := io.ReadAll(body)
	if err != nil {
		return text{}, err
	}
	t := text{walk: b.walk, frame: frame, lines: slices.Clone(b.lines)}
	starts, start := make([]int, len(t.lines)), len(frame.Open)
	for i := range t.lines {
		starts[i] = start
		start += t.lines[i].size + len(frame.Between)
	}
	line := func(i int) []byte { return plain[starts[i] : starts[i]+t.lines[i].size] }
	t.append = func(dst []byte, i int) []byte { return append(dst, line(i)...) }
	t.least = func(i int) int { return t.lines[i].size }
	t.write = func(w io.Writer, i int) (int, error) { return w.Write(line(i)) }
	return t, nil
}

// without returns the text without some of its lines.
func (t text) without(leave func(i int) bool) text {
	var places []int
	rest := text{walk: t.walk, frame: t.frame}
	for i, l := range t.lines {
		if !leave(i) {
			places, rest.lines = append(places, i), append(rest.lines, l)
		}
	}
	rest.append = func(dst []byte, i int) []byte { return t.append(dst, places[i]) }
	rest.least = func(i int) int { return t.least(places[i]) }
	rest.write = func(w io.Writer, i int) (int, error) { return t.write(w, places[i]) }
	return rest
}
