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

// markPiece is how much of a text a marker hashes at a time, so that it does not copy a large record for its mark.
const markPiece = 64 << 10

// A marker makes marks, and keeps the memory that it needs for one.
type marker struct{ text []byte }

// mark is a short hash of a record's content, never [unmarked]. It shows that a row was changed; it misses one change in
// 65,535. It hashes the columns and not the record's JSON, which a new version of the server may write in another way.
func (m *marker) mark(r *record.Record) uint16 {
	sum := uint32(0)
	m.text = binary.LittleEndian.AppendUint64(m.text[:0], uint64(r.ID)) // else two like records would cancel each other out
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
		m.text = append(append(m.text, column...), 0xff) // a byte that is in no UTF-8
	}
	sum = crc32.Update(sum, castagnoli, m.text)
	mark := uint16(sum) ^ uint16(sum>>16)
	if mark == unmarked {
		mark++
	}
	return mark
}
