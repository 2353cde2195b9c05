package dedup

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// version is the first byte of a set that was written down.
const version = 1

// mostIDs bounds what one minute of a set that is read may hold, so that a damaged one cannot ask for all memory there is.
const mostIDs = 1 << 28

// MarshalBinary writes the set down: the version, then the minutes of this lineage and those of the earlier ones. Of a
// minute it writes the distance to the previous one, the number of its runs and whether it has marks, the runs, and the marks.
func (s Set) MarshalBinary() ([]byte, error) {
	b := []byte{version}
	for _, minutes := range [][]minute{s.own, s.earlier} {
		b = binary.AppendUvarint(b, uint64(len(minutes)))
		previous := int64(0)
		for _, m := range minutes {
			b = binary.AppendVarint(b, m.at-previous)
			previous = m.at
			b = m.append(b)
		}
	}
	return b, nil
}

func (m minute) append(b []byte) []byte {
	head := uint64(len(m.runs)) << 1
	if m.marks != nil {
		head |= 1
	}
	b = binary.AppendUvarint(b, head)
	previous := int64(0)
	for _, r := range m.runs {
		b = binary.AppendVarint(b, r.first-previous)
		b = binary.AppendUvarint(b, uint64(r.last-r.first))
		previous = r.last
	}
	for _, mark := range m.marks {
		b = binary.LittleEndian.AppendUint16(b, mark)
	}
	return b
}

var errCut = errors.New("it breaks off, or is no set")

// Parse reads a set that MarshalBinary wrote; no bytes are the empty set.
func Parse(b []byte) (Set, error) {
	if len(b) == 0 {
		return Set{}, nil
	}
	p := parser{rest: b[1:]}
	s := Set{own: p.minutes(), earlier: p.minutes()}
	switch {
	case b[0] != version:
		p.err = fmt.Errorf("it has version %d, and this program reads version %d", b[0], version)
	case p.err == nil && len(p.rest) > 0:
		p.err = fmt.Errorf("%d bytes follow it", len(p.rest))
	}
	if p.err != nil {
		return Set{}, fmt.Errorf("the set of delivered ids (%d bytes) is unreadable: %w", len(b), p.err)
	}
	return s, nil
}

// A parser takes a set apart. After an error it only returns zeros.
type parser struct {
	rest []byte
	err  error
}

func (p *parser) minutes() (minutes []minute) {
	previous := int64(math.MinInt64)
	for range p.count(2) {
		m := p.minute()
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

func (p *parser) minute() (m minute) {
	m.at = p.varint()
	head := p.uvarint()
	if head>>1 > uint64(len(p.rest)) || head < 2 {
		p.fail()
		return m
	}
	previous, ids := int64(0), uint64(0)
	for i := range head >> 1 {
		first, more := p.varint(), p.uvarint()
		r := run{first: previous + first}
		if more > mostIDs || i > 0 && first < 2 || r.first < 0 || r.first > math.MaxInt64-mostIDs {
			p.fail()
			return m
		}
		r.last = r.first + int64(more)
		m.runs = append(m.runs, r)
		previous = r.last
		ids += more + 1
	}
	if head&1 == 1 {
		m.marks = p.marks(ids)
	}
	return m
}

func (p *parser) marks(n uint64) []uint16 {
	if n*2 > uint64(len(p.rest)) {
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

// count is a number of things of at least size bytes each.
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
