package compact

import (
	"bytes"
	"container/heap"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"
	"slices"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink"
	"github.com/houndtrail/houndtrail/sink/archive/read"
	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/parquet"
)

// A writer writes the new object.
type writer interface {
	Add(r *record.Record) error
	Finish(w window.Window) error
}

func (c *Compactor) begin(w io.Writer, extension string) writer {
	switch extension {
	case ndjson.Extension:
		return ndjson.Begin(w, ndjson.Gzip)
	case ndjson.ZstdExtension:
		return ndjson.Begin(w, ndjson.Zstd)
	default:
		if c.encoder == nil { // its tables have some 35 MiB
			c.encoder = parquet.NewDenseEncoder(parquet.Metadata{Tenant: c.Tenant, Version: c.Version})
		}
		return c.encoder.Begin(w)
	}
}

// merge makes one object of the inputs. Then it reads the object back from memory, and checks that it has the records of the
// inputs, in every column.
func (c *Compactor) merge(ctx context.Context, inputs []*input, to read.Object) (*product, error) {
	var size int64
	win := window.Window{Start: to.Start}
	for _, in := range inputs {
		in.places = nil
		size += in.bytes
		if in.window.End.After(win.End) {
			win.End = in.window.End
		}
	}
	var body bytes.Buffer
	body.Grow(int(size)) // with the best compression, the result is smaller
	m := &merger{
		to: c.begin(&body, to.Extension), sum: sha256.New(), pending: slices.Clone(inputs),
		open: func(in *input) (*read.File, error) {
			f, _, err := c.open(ctx, in)
			return f, err
		},
	}
	defer m.close()
	if err := m.run(); err != nil {
		return nil, err
	}
	if err := m.to.Finish(win); err != nil {
		return nil, err
	}
	p := &product{
		inputs: inputs, body: body.Bytes(), made: m.line, duplicates: m.duplicates, sum: m.sum.Sum(nil),
	}
	p.made.Key, p.made.Bytes, p.made.SHA256, p.made.RecordsRoot = to.Key(), int64(len(p.body)), digest(p.body), m.rows.Root()
	if err := p.holds(p.body); err != nil {
		return nil, fmt.Errorf("read back what is to replace the objects of %s: %w: this is a defect, please report it; nothing "+
			"was changed", day(to.Day), err)
	}
	return p, nil
}

// A product is the new object, together with the old ones.
type product struct {
	inputs     []*input
	body       []byte
	made       checkpoint.Object
	duplicates int
	sum        []byte // of the records
}

// holds returns an error unless a body has the product's records.
func (p *product) holds(body []byte) error {
	f, err := read.Open(body, p.made.Key)
	if err != nil {
		return err
	}
	sum, n := sha256.New(), 0
	var text []byte
	var rows sink.Rows
	err = f.Records(func(r *record.Record) error {
		n++
		text = appendRecord(text[:0], r)
		_, _ = sum.Write(text) // a hash returns no error
		if err := f.Fill(r); err != nil {
			return err
		}
		rows.Add(r)
		return nil
	})
	if err == nil && (!bytes.Equal(sum.Sum(nil), p.sum) || rows.Root() != p.made.RecordsRoot) {
		err = fmt.Errorf("%s: its %d records are not the %d records of the objects", p.made.Key, n, p.made.Records)
	}
	return err
}

// appendRecord appends all the columns of a record. Two records with the same bytes are equal in every column.
func appendRecord(b []byte, r *record.Record) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(r.ID))
	b = binary.BigEndian.AppendUint64(b, uint64(r.CreatedAt.UnixMicro()))
	b = binary.BigEndian.AppendUint32(b, uint32(r.Absent))
	for _, c := range record.Columns() {
		b = appendText(b, *c.Value(r))
	}
	return appendText(b, r.Raw)
}

func appendText(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint64(b, uint64(len(s))), s...)
}

// A merger merges sorted objects. It opens an object only when the first record of the object comes next.
type merger struct {
	to         writer
	sum        hash.Hash
	open       func(*input) (*read.File, error)
	pending    []*input // by their first record
	cursors    cursors
	line       checkpoint.Object
	rows       sink.Rows
	duplicates int
	text, same []byte
}

func (m *merger) run() error {
	for {
		if err := m.advance(); err != nil {
			return err
		}
		if len(m.cursors) == 0 {
			return nil
		}
		if err := m.next(); err != nil {
			return err
		}
	}
}

// advance opens every object that may have the next record.
func (m *merger) advance() error {
	for len(m.pending) > 0 && (len(m.cursors) == 0 || !m.pending[0].first.After(m.cursors[0].record.CreatedAt)) {
		in := m.pending[0]
		m.pending = m.pending[1:]
		f, err := m.open(in)
		if err != nil {
			return err
		}
		c := &cursor{input: in, fill: f.Fill}
		c.pull, c.stop = iter.Pull2(records(f))
		switch ok, err := c.step(); {
		case err != nil:
			c.stop()
			return err
		case ok:
			heap.Push(&m.cursors, c)
		}
	}
	return nil
}

// next writes the next record, and skips all records that are equal to it.
func (m *merger) next() error {
	first := m.cursors[0]
	r, stands, where, fill := first.record, first.input.stands, first.input.key, first.fill
	m.text = appendRecord(m.text[:0], &r)
	for n := 0; len(m.cursors) > 0 && record.Compare(&m.cursors[0].record, &r) == 0; n++ {
		c := m.cursors[0]
		if m.same = appendRecord(m.same[:0], &c.record); !bytes.Equal(m.same, m.text) {
			return fmt.Errorf("%w: id %d of %s is in %s and in %s, and not alike: find out which one Houndtrail wrote (houndtrail history "+
				"-o json names the SHA-256 of each object), and move the other one out of the archive", ErrFinding, r.ID,
				stamp(r.CreatedAt), where, c.input.key)
		}
		stands, c.input.places = stands || c.input.stands, c.input.places.Add(m.line.Records)
		if n > 0 {
			m.duplicates++
		}
		ok, err := c.step()
		if err != nil {
			return err
		}
		if ok && record.Compare(&c.record, &r) <= 0 {
			return fmt.Errorf("%w: %s: id %d of %s comes after id %d of %s: no archive writes records in that order; put back what "+
				"Houndtrail wrote there", ErrFinding, c.input.key, c.record.ID, stamp(c.record.CreatedAt), r.ID, stamp(r.CreatedAt))
		}
		if ok {
			heap.Fix(&m.cursors, 0)
		} else {
			c.stop()
			heap.Pop(&m.cursors)
		}
	}
	if !stands {
		return fmt.Errorf("%w: no entry of the journal names %s, and no other object has its id %d of %s: find out who wrote it, and "+
			"move it out of the archive", ErrFinding, where, r.ID, stamp(r.CreatedAt))
	}
	m.line = sink.Joined(m.line, sink.StampOf(&r))
	_, _ = m.sum.Write(m.text) // a hash returns no error
	if err := m.to.Add(&r); err != nil {
		return err
	}
	if err := fill(&r); err != nil {
		return fmt.Errorf("%w: %w", ErrFinding, err)
	}
	m.rows.Add(&r)
	return nil
}

func (m *merger) close() {
	for _, c := range m.cursors {
		c.stop()
	}
}

// A cursor stands at a record of an object.
type cursor struct {
	input  *input
	record record.Record
	fill   func(*record.Record) error
	pull   func() (record.Record, error, bool)
	stop   func()
}

func (c *cursor) step() (ok bool, err error) {
	r, err, ok := c.pull()
	if err != nil {
		return false, err
	}
	c.record = r
	return ok, nil
}

// errEnough stops the reading of an object.
var errEnough = errors.New("enough")

func records(f *read.File) iter.Seq2[record.Record, error] {
	return func(yield func(record.Record, error) bool) {
		err := f.Records(func(r *record.Record) error {
			if !yield(*r, nil) {
				return errEnough
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			yield(record.Record{}, fmt.Errorf("%w: %w", ErrFinding, err))
		}
	}
}

// cursors is a heap: its first cursor has the smallest record.
type cursors []*cursor

// Len implements heap.Interface.

func (c *cursors) Len() int { return len(*c) }

// Less implements heap.Interface.
func (c *cursors) Less(i, j int) bool { return record.Compare(&(*c)[i].record, &(*c)[j].record) < 0 }

// Swap implements heap.Interface.
func (c *cursors) Swap(i, j int) { (*c)[i], (*c)[j] = (*c)[j], (*c)[i] }

// Push implements heap.Interface.
func (c *cursors) Push(x any) { *c = append(*c, x.(*cursor)) } //nolint:errcheck // only advance pushes

// Pop implements heap.Interface.
func (c *cursors) Pop() any {
	last := (*c)[len(*c)-1]
	*c = (*c)[:len(*c)-1]
	return last
}
