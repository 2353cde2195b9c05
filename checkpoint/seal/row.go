package seal

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"strconv"
)

// AppendRow appends the row bytes of a record. They are a netstring of each column, in the order of the archive's columns, and
// "-," for NULL. They are the same before and after compaction, and for each encoding of the file. The records_root of an object
// is the root of the tree over the leaves of its rows, in the order of the file.
//
// columns are the values of the string columns; nil is NULL.
func AppendRow(row []byte, id, createdAtMicros int64, columns ...*string) []byte {
	row = appendInt(row, id)
	row = appendInt(row, createdAtMicros)
	for _, text := range columns {
		if text == nil {
			row = append(row, '-', ',')
			continue
		}
		row = appendLength(row, len(*text))
		row = append(append(row, *text...), ',')
	}
	return row
}

func appendInt(row []byte, n int64) []byte {
	if n < 0 {
		var digits [20]byte
		text := strconv.AppendInt(digits[:0], n, 10)
		return append(append(appendLength(row, len(text)), text...), ',')
	}
	length := 1
	for rest := n; rest >= 10; rest /= 10 {
		length++
	}
	return append(strconv.AppendInt(appendLength(row, length), n, 10), ',')
}

func appendLength(row []byte, n int) []byte { return append(strconv.AppendInt(row, int64(n), 10), ':') }

// A Row has the values of row bytes.
type Row struct {
	ID              int64
	CreatedAtMicros int64     // since the epoch
	Columns         []*string // nil is NULL
}

// ParseRow reads the output of AppendRow, and no other bytes.
func ParseRow(row []byte) (Row, error) {
	var values []*string
	for rest := string(row); rest != ""; {
		value, tail, err := cutNetstring(rest)
		if err != nil {
			return Row{}, err
		}
		values, rest = append(values, value), tail
	}
	if len(values) < 2 || values[0] == nil || values[1] == nil {
		return Row{}, errors.New("the row does not begin with an id and a time")
	}
	r := Row{Columns: values[2:]}
	var errID, errAt error
	r.ID, errID = strconv.ParseInt(*values[0], 10, 64)
	r.CreatedAtMicros, errAt = strconv.ParseInt(*values[1], 10, 64)
	if err := errors.Join(errID, errAt); err != nil {
		return Row{}, fmt.Errorf("the row does not begin with an id and a time: %w", err)
	}
	if string(AppendRow(nil, r.ID, r.CreatedAtMicros, r.Columns...)) != string(row) {
		return Row{}, errors.New("the row is not spelt as Houndtrail spells a row")
	}
	return r, nil
}

// cutNetstring returns the first value of a row; nil for NULL.
func cutNetstring(row string) (value *string, rest string, err error) {
	const null = "-,"
	if len(row) >= len(null) && row[:len(null)] == null {
		return nil, row[len(null):], nil
	}
	digits := 0
	for digits < len(row) && row[digits] >= '0' && row[digits] <= '9' {
		digits++
	}
	n, err := strconv.Atoi(row[:digits])
	begin := digits + 1
	if err != nil || begin > len(row) || row[digits] != ':' || n >= len(row)-begin || row[begin+n] != ',' {
		return nil, "", errors.New("the row is no sequence of netstrings")
	}
	text := row[begin : begin+n]
	return &text, row[begin+n+1:], nil
}

// Rows is the tree over the rows of one object. The rows come one by one. It needs memory for one piece of a row, even if the row
// is long. The zero value is ready to use.
type Rows struct {
	tree  Frontier
	piece []byte // the first bytes of a leaf's text: the buffer for each row
}

const (
	// leafPrefix stands before the bytes of a leaf in its hash (RFC 6962, 2.1).
	leafPrefix = 0
	// longest is the number of bytes of a row that are hashed at a time.
	longest = 32 << 10
)

// Add adds the row of a record, in the form of [AppendRow].
func (t *Rows) Add(id, createdAtMicros int64, columns ...*string) {
	piece := appendInt(appendInt(append(t.piece[:0], leafPrefix), id), createdAtMicros)
	var long hash.Hash // of the earlier pieces; nil if the row is short
	for _, text := range columns {
		if text == nil {
			piece = append(piece, '-', ',')
			continue
		}
		piece = appendLength(piece, len(*text))
		rest := *text
		for len(piece)+len(rest) > longest {
			n := min(len(rest), max(longest-len(piece), 0))
			if long == nil {
				long = sha256.New()
			}
			_, _ = long.Write(append(piece, rest[:n]...)) // a hash returns no error
			piece, rest = piece[:0], rest[n:]
		}
		piece = append(append(piece, rest...), ',')
	}
	t.piece = piece[:0]
	if long == nil {
		t.tree.Append(sha256.Sum256(piece))
		return
	}
	_, _ = long.Write(piece) // a hash returns no error
	t.tree.Append(Hash(long.Sum(nil)))
}

// Len is the number of rows.
func (t *Rows) Len() int { return int(t.tree.size) }

// Root is the records_root of an object with these rows.
func (t *Rows) Root() Hash { return t.tree.Root() }
