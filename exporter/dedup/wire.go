package dedup

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
)

// The first byte says whether a whole set follows, or a change.
const (
	wholeSet  = 1
	changeSet = 2
)

const (
	// mostIDs limits the ids in one minute of a set that a parser reads: a damaged set must not ask for all memory.
	mostIDs = 1 << 28
	// mostBytes limits the unpacked size of a set that a parser reads.
	mostBytes = 64 << 20
)

// MarshalBinary writes the set: the minutes of this lineage and those of earlier lineages, compressed.
func (s Set) MarshalBinary() ([]byte, error) { return pack(wholeSet, s.append(nil)) }

func (s Set) append(b []byte) []byte { return appendMinutes(appendMinutes(b, s.own), s.earlier) }

// nextRun is the distance of a run to the previous one if a single id is missing between them. This is the most common
// distance.
const nextRun = 2

// appendMinutes writes for each minute: its distance to the previous one, how many runs and how many marks it has, the runs,
// and the marks. For a run, it writes how many ids follow the first one. It also writes whether the distance to the previous
// run comes next, or is nextRun.
func appendMinutes(b []byte, minutes []minute) []byte {
	b = binary.AppendUvarint(b, uint64(len(minutes)))
	previous, last := int64(0), int64(0)
	for _, m := range minutes {
		b = binary.AppendVarint(b, m.at-previous)
		b = binary.AppendUvarint(b, uint64(len(m.runs))<<3|uint64(bits.Len(uint(len(m.marks)))))
		for i, r := range m.runs {
			more := uint64(r.last-r.first) << 1
			switch distance := r.first - last; {
			case i == 0:
				b = binary.AppendVarint(binary.AppendUvarint(b, more), distance)
			case distance == nextRun:
				b = binary.AppendUvarint(b, more)
			default:
				b = binary.AppendUvarint(binary.AppendUvarint(b, more|1), uint64(distance))
			}
			last = r.last
		}
		for _, mark := range m.marks {
			b = binary.LittleEndian.AppendUint16(b, mark)
		}
		previous = m.at
	}
	return b
}

func pack(kind byte, body []byte) ([]byte, error) {
	var packed bytes.Buffer
	packed.WriteByte(kind)
	w, err := flate.NewWriter(&packed, flate.BestCompression)
	if err == nil {
		_, err = w.Write(body)
	}
	if err == nil {
		err = w.Close()
	}
	return packed.Bytes(), err
}

var errCut = errors.New("it breaks off, or is no set")

// unpack begins to read the compressed bytes of a set or of a change. kind says which of the two it expects.
func unpack(kind byte, b []byte) (p parser) {
	if b[0] != kind {
		return parser{err: fmt.Errorf("it is of kind %d, and this program reads kind %d here", b[0], kind)}
	}
	p.rest, p.err = io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(b[1:])), mostBytes))
	if p.err != nil {
		p.err = fmt.Errorf("%w: %w", errCut, p.err)
	}
	return p
}

// Parse reads a set that MarshalBinary wrote. No bytes mean the empty set.
func Parse(b []byte) (Set, error) {
	if len(b) == 0 {
		return Set{}, nil
	}
	p := unpack(wholeSet, b)
	s := Set{own: p.minutes(), earlier: p.minutes()}
	return s, p.end("the set of delivered ids", len(b))
}

// A parser reads a set. After an error it only returns zeros.
type parser struct {
	rest []byte
	err  error
}

// end returns the parser's error. If bytes are left, it returns an error too.
func (p *parser) end(what string, size int) error {
	if p.err == nil && len(p.rest) > 0 {
		p.err = fmt.Errorf("%d bytes follow it", len(p.rest))
	}
	if p.err != nil {
		return fmt.Errorf("%s (%d bytes) is unreadable: %w", what, size, p.err)
	}
	return nil
}

func (p *parser) minutes() (minutes []minute) {
	previous, last := int64(math.MinInt64), int64(0)
	for range p.count(3) {
		m := p.minute(&last)
		if len(minutes) > 0 {
			m.at += previous
		}
		if m.at <= previous || m.at > math.MaxInt64/120 || m.at < math.MinInt64/120 {
			p.fail()
		}
		if p.err != nil {
			return nil
		}
		previous = m.at
		minutes = append(minutes, m)
	}
	return minutes
}

func (p *parser) minute(last *int64) (m minute) {
	m.at = p.varint()
	head := p.uvarint()
	runs := head >> 3
	if runs > uint64(len(p.rest)) || runs == 0 {
		p.fail()
		return m
	}
	for i := range runs {
		more, distance := p.uvarint(), int64(nextRun)
		switch {
		case i == 0:
			distance = p.varint()
		case more&1 == 1:
			distance = int64(p.uvarint())
		}
		more >>= 1
		r := run{first: *last + distance}
		if more > mostIDs || i > 0 && distance < 2 || r.first < 0 || r.first > math.MaxInt64-mostIDs {
			p.fail()
			return m
		}
		r.last = r.first + int64(more)
		m.runs = append(m.runs, r)
		*last = r.last
	}
	if size := head & 7; size > 0 {
		m.marks = p.marks(1 << (size - 1))
	}
	return m
}

func (p *parser) marks(n int) []uint16 {
	if n > mostShared || n*2 > len(p.rest) {
		p.fail()
		return nil
	}
	marks := make([]uint16, n)
	for i := range marks {
		marks[i] = binary.LittleEndian.Uint16(p.rest[2*i:])
	}
	p.rest = p.rest[2*n:]
	return marks
}

// count reads a number of things. Each of them takes at least size bytes.
func (p *parser) count(size uint64) uint64 {
	n := p.uvarint()
	if n > uint64(len(p.rest))/size {
		p.fail()
		return 0
	}
	return n
}

func (p *parser) uvarint() uint64 { return take(p, binary.Uvarint) }
func (p *parser) varint() int64   { return take(p, binary.Varint) }

func take[T any](p *parser, read func([]byte) (T, int)) (v T) {
	v, n := read(p.rest)
	if n <= 0 {
		p.fail()
		return v
	}
	p.rest = p.rest[n:]
	return v
}

func (p *parser) fail() {
	p.rest = nil
	if p.err == nil {
		p.err = errCut
	}
}
