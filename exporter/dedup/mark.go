package dedup

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/houndtrail/houndtrail/exporter/record"
)

//nolint:gochecknoglobals // constants
var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	columns    = record.Columns()
)

// markPiece is how much of a text a marker hashes at a time. So it need not copy a large record.
const markPiece = 64 << 10

// A marker makes marks. It keeps its memory from one mark to the next.
type marker struct{ text []byte }

// mark is a short hash of a record's content, never [unmarked]. It shows that a row was changed. One change in 65,535 has no
// effect on it. It is the hash of the columns and not of the record's JSON: a new version of the server may write the JSON in
// another way.
func (m *marker) mark(r *record.Record) uint16 {
	sum := uint32(0)
	// With the id in it, two records with the same content have different marks. So they do not cancel each other out.
	m.text = binary.LittleEndian.AppendUint64(m.text[:0], uint64(r.ID))
	m.text = binary.LittleEndian.AppendUint64(m.text, uint64(r.CreatedAt.UnixMicro()))
	for i := range columns {
		column := *columns[i].Value(r)
		if column == "" { // so if a column is later appended to the table, the marks stay the same
			continue
		}
		m.text = append(m.text, byte(i))
		for ; len(column) > markPiece; column = column[markPiece:] {
			m.text = append(m.text, column[:markPiece]...)
			sum, m.text = crc32.Update(sum, castagnoli, m.text), m.text[:0]
		}
		m.text = append(append(m.text, column...), 0xff) // no UTF-8 text has this byte
	}
	sum = crc32.Update(sum, castagnoli, m.text)
	mark := uint16(sum) ^ uint16(sum>>16)
	if mark == unmarked {
		mark++
	}
	return mark
}
