package webhook

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"

	"github.com/klauspost/compress/gzip"

	"houndtrail/checkpoint"
	"houndtrail/sink"
	"houndtrail/sink/ndjson"
)

// A batch is what one POST carries.
type batch struct {
	lines []line
	size  int               // of the body before compression
	sum   [sha256.Size]byte // of that
	wire  []byte            // the body as sent
}

// A line is a record as text, complete with whatever separates it from the next one.
type line struct {
	sink.Stamp
	size int // of the text, once it is packed
}

// id depends on the content alone. 128 bits are plenty for telling one receiver's batches apart.
func (b *batch) id() string { return hex.EncodeToString(b.sum[:16]) }

func (b *batch) object() checkpoint.Object {
	return sink.Object("batch/"+b.id(), b.size, b.sum, func(yield func(sink.Stamp) bool) {
		for i := range b.lines {
			if !yield(b.lines[i].Stamp) {
				return
			}
		}
	})
}

// A text is where lines come from: the records of a window, or batches that were packed before.
type text struct {
	lines  []line
	append func(dst []byte, i int) []byte // the text of line i
}

// A packer makes batches, and keeps its buffers from one to the next.
type packer struct {
	compression Compression
	maxRecords  int

	plain []byte
	zip   *gzip.Writer
}

func newPacker(o Options) packer {
	return packer{compression: o.Compression, maxRecords: o.BatchRecords}
}

// longLine is the size from which a line is sent alone, whatever the bounds. 256 KiB is where VictoriaLogs and others
// start to drop lines while they answer 200, and VictoriaLogs then loses up to as much of what follows in the body.
const longLine = 256 << 10

// pack appends the body of the batch that begins with line from to wire. It takes as many lines as fit into both bounds,
// but at least the first. The batch's own wire is left to the caller, since a buffer moves as it grows.
func (p *packer) pack(t text, from, maxBytes int, wire *bytes.Buffer) (batch, error) {
	p.plain = p.plain[:0]
	n := from
	for n < min(len(t.lines), from+p.maxRecords) {
		end := len(p.plain)
		p.plain = t.append(p.plain, n)
		size := len(p.plain) - end
		if n > from && (size >= longLine || len(p.plain) > maxBytes) {
			p.plain = p.plain[:end] // the next batch starts with it
			break
		}
		t.lines[n].size = size
		n++
		if size >= longLine {
			break
		}
	}
	return batch{lines: t.lines[from:n], size: len(p.plain), sum: sha256.Sum256(p.plain)}, p.compress(wire)
}

func (p *packer) compress(wire *bytes.Buffer) error {
	if p.compression == None {
		wire.Write(p.plain)
		return nil
	}
	if p.zip == nil {
		p.zip = ndjson.NewGzip(wire)
	} else {
		p.zip.Reset(wire)
	}
	if _, err := p.zip.Write(p.plain); err != nil {
		return err
	}
	return p.zip.Close()
}

// A mailing is a window, packed. Its memory serves the next one.
type mailing struct {
	lines   []line
	batches []batch
	wire    bytes.Buffer // of all batches
}

// pack cuts the text into batches.
func (m *mailing) pack(p *packer, t text, maxBytes int) error {
	m.batches = m.batches[:0]
	m.wire.Reset()
	for from := 0; from < len(t.lines); {
		start := m.wire.Len()
		b, err := p.pack(t, from, maxBytes, &m.wire)
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

// unpack returns the text of batches as it was before they were packed.
func unpack(c Compression, batches []batch) (text, error) {
	var (
		t     text
		plain []byte
		ends  []int
	)
	for _, b := range batches {
		body := io.Reader(bytes.NewReader(b.wire))
		if c == Gzip {
			z, err := gzip.NewReader(body)
			if err != nil {
				return text{}, err
			}
			body = z
		}
		read, err := io.ReadAll(body)
		if err != nil {
			return text{}, err
		}
		plain = append(plain, read...)
		for _, l := range b.lines {
			t.lines = append(t.lines, l)
			ends = append(ends, l.size)
		}
	}
	for i := range ends[1:] {
		ends[i+1] += ends[i]
	}
	t.append = func(dst []byte, i int) []byte { return append(dst, plain[ends[i]-t.lines[i].size:ends[i]]...) }
	return t, nil
}
