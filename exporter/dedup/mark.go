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

// markPiece is how much of a text is hashed at a time: a large record is not copied for its mark.
const markPiece = 64 << 10

// A marker makes marks, and keeps the memory that it needs for one.
type marker struct{ text []byte }

// mark is a short hash of what a record says, never [unmarked]. It shows that a row was changed: a change goes unseen
// once in 65,535 times. It is made of the columns and not of the record's JSON, which a new version of the server may
// write in another way.
func (m *marker) mark(r *record.Record) uint16 {
	sum := uint32(0)
	m.text = binary.LittleEndian.AppendUint64(m.text[:0], uint64(r.ID)) // or else two like records would cancel each other out
	m.text = binary.LittleEndian.AppendUint64(m.text, uint64(r.CreatedAt.UnixMicro()))
	for i := range columns {
		column := *columns[i].Value(r)
		if column == "" { // a column that is appended to the table later on changes no mark
			continue
		}
		m.text = append(m.text, byte(i))
		for ; len(column) > markPiece; column = column[markPiece:] {
			m.text = append(m.text, column[:markPiece]...)
			sum, m.text = crc32.Update(sum, castagnoli, m.text), m.text[:0]
		}
		m.text = append(append(m.text, column...), 0xff) // which is in no UTF-8
	}
	sum = crc32.Update(sum, castagnoli, m.text)
	mark := uint16(sum) ^ uint16(sum>>16)
	if mark == unmarked {
		mark++
	}
	return mark
}
