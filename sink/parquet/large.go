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

// largeFields is the size from which the encoder writes a value of fields straight into the file, and does not copy it into a
// page and compress it there. Of all columns only fields can be so large: it has text that a client sent to the server.
const largeFields = 4 << 20

// behindLarge is room for the bytes of a file behind a large value, if there is only one such value.
const behindLarge = 64 << 10

// large writes a page of one large value. It compresses the value twice: first for the compressed size, since the header stands
// in front and has it, and then to write the value.
func (c *chunk) large(value string) error {
	c.runs = append(c.runs[:0], 1<<1, 1) // a run of one row that has a value
	sum := crc32.NewIEEE()
	_, _ = sum.Write(c.runs)
	packed := counted{Writer: sum}
	if err := compressValue(&packed, value, c.dense); err != nil {
		return err
	}
	if b, ok := c.Writer.(interface{ Grow(n int) }); ok {
		b.Grow(int(packed.written) + behindLarge) // a buffer that grows by doubling would have the value three times meanwhile
	}
	p := page{rows: 1, encoding: format.Plain, bytes: int64(len(value))}
	return c.write(&p, lengthSize+len(value), int(packed.written), sum.Sum32(), func(w io.Writer) error {
		return compressValue(w, value, c.dense)
	})
}

// lengthSize is the size of the length that stands in front of a plain value.
const lengthSize = 4

// compressValue writes the compressed value. It holds a part of it at a time.
func compressValue(w io.Writer, value string, dense bool) error {
	z, err := newZstd(dense)
	if err != nil {
		return err
	}
	z.ResetContentSize(w, int64(lengthSize+len(value)))
	length := binary.LittleEndian.AppendUint32(nil, uint32(len(value)))
	_, err = z.ReadFrom(io.MultiReader(bytes.NewReader(length), strings.NewReader(value)))
	return errors.Join(err, z.Close())
}
