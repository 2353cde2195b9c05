package parquet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"strings"

	"github.com/parquet-go/parquet-go/format"
)

// largeFields is the size from which a value of fields is written straight into the file, and not copied into a page and
// compressed there. Only fields have what a client sent to the server.
const largeFields = 4 << 20

// behindLarge is room for what comes in a file behind a large value, if that is the only one.
const behindLarge = 64 << 10

// large writes a page of one large value. Since its header stands in front, and has the compressed size, the value is
// compressed twice: for that, and when it is written.
func (c *chunk) large(value string) error {
	c.runs = append(c.runs[:0], 1<<1, 1) // a run of one row that has a value
	sum := crc32.NewIEEE()
	_, _ = sum.Write(c.runs)
	packed := counted{Writer: sum}
	if err := compressValue(&packed, value); err != nil {
		return err
	}
	if b, ok := c.Writer.(interface{ Grow(n int) }); ok {
		b.Grow(int(packed.written) + behindLarge) // a buffer that grows by doubling has it three times meanwhile
	}
	p := page{rows: 1, encoding: format.Plain, bytes: int64(len(value))}
	return c.write(&p, lengthSize+len(value), int(packed.written), sum.Sum32(), func(w io.Writer) error {
		return compressValue(w, value)
	})
}

// lengthSize is the size of the length that stands in front of a plain value.
const lengthSize = 4

// compressValue writes the compressed value, of which it holds a part at a time.
func compressValue(w io.Writer, value string) error {
	z, err := newZstd()
	if err != nil {
		return err
	}
	z.ResetContentSize(w, int64(lengthSize+len(value)))
	length := binary.LittleEndian.AppendUint32(nil, uint32(len(value)))
	_, err = z.ReadFrom(io.MultiReader(bytes.NewReader(length), strings.NewReader(value)))
	return errors.Join(err, z.Close())
}
