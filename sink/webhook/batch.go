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
	events int    // how many events that are no records it has
	round  int    // how often it was sent anew, since no acknowledgement came
	id     string // of the events in it
	size   int    // of the body before compression
	wire   []byte // the body as sent
	sum    [sha256.Size]byte
}

// A line is a record as an item of a body.
type line struct {
	sink.Stamp
	at     int  // index of the record among those of the window
	begins bool // it begins a batch, as in an earlier attempt
	size   int  // of the text, once it is packed
}

// about is the batch as the format sees it.
func (b *batch) about() format.Batch {
	return format.Batch{Walk: b.walk, ID: b.id, Records: len(b.lines) + b.events, Bytes: b.size, Round: b.round}
}

// A text is the source of lines: the records of a window, or a batch that was packed before.
type text struct {
	walk   format.Walk
	frame  format.Frame
	lines  []line
	append func(dst []byte, i int) []byte        // the text of line i
	least  func(i int) int                       // how many bytes line i has at least
	write  func(w io.Writer, i int) (int, error) // the same as append, for long lines
}

// A packer makes batches, and keeps its buffers from one to the next.
type packer struct {
	tenant     string
	maxRecords int
	alone      int // the size from which a line is sent alone

	plain  []byte // not yet compressed
	events []byte // the bytes that make the batch's id
	zip    ndjson.Compressor
}

func newPacker(o Options, l format.Limits) *packer {
	return &packer{tenant: o.Tenant, maxRecords: o.BatchRecords, alone: l.Alone, zip: o.Compression.Writer()}
}

// held is how many bytes the buffers have.
func (p *packer) held() int { return cap(p.plain) + cap(p.events) }

const (
	// veryLongLine is the size from which memory counts more than time.
	veryLongLine = 4 << 20
	// piece is how many bytes of text are compressed at a time, while they are still in the processor's cache.
	piece = 32 << 10
)

// pack appends the body of the batch that begins with line from to wire. It takes as many lines as fit into both bounds,
// up to a line that begins a batch, but at least the first. The caller sets the batch's own wire, since a buffer moves as it
// grows.
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
			p.plain = p.plain[:end] // the next batch starts with it
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

// write writes a line that is too long to be held whole.
func (p *packer) write(t text, n int, body io.Writer) error {
	err := p.flush(body)
	if err == nil {
		t.lines[n].size, err = t.write(body, n)
	}
	return err
}

// makeRoom makes the room for a batch of one very long line. A buffer that grows by doubling has its content three times
// meanwhile. So makeRoom compresses the line once more, to learn the compressed size.
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

// A counter is a writer that only counts.
type counter int

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// id is the first half of a SHA-256, which is plenty to tell the batches of one receiver apart. It covers the parts of
// the event ids: the tenant, then the id and the microseconds of each record, 8 bytes each. So it is the same for every
// compression of the batch, and for every version of the program that sends it again.
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

// A preparedWindow is a packed window. Its memory serves the next one.
type preparedWindow struct {
	window  window.Window
	total   int       // of the window's records
	part    bool      // it is one of several parts of the window
	cut     int       // how many records are cut for the receiver
	earlier []portion // an earlier attempt delivered these, so lines does not have them
	others  []portion // an earlier attempt delivered these of other parts

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
		b.wire = m.wire.Bytes()[start:] // moves once more below
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

// unpack returns the text from which a batch was packed.
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

// without is the text without some of its lines.
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
