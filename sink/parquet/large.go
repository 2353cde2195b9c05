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

// If a value of fields has largeFields bytes or more, the encoder writes it directly into the file. It does not first copy it
// into a page and compress it there. Only fields can be so large: it has text that a client sent to the server.
const largeFields = 4 << 20

// behindLarge is how many bytes of a file may follow a large value, if there is only one.
const behindLarge = 64 << 10

// large writes a page of one large value. It compresses the value twice. The first time, it finds the compressed size, since
// the header comes first and has that size. The second time, it writes the value.
func (c *chunk) large(value string) error {
	c.runs = append(c.runs[:0], 1<<1, 1) // levels for one row with a value
	sum := crc32.NewIEEE()
	_, _ = sum.Write(c.runs)
	packed := counted{Writer: sum}
	if err := compressValue(&packed, value, c.dense); err != nil {
		return err
	}
	if b, ok := c.Writer.(interface{ Grow(n int) }); ok {
		b.Grow(int(packed.written) + behindLarge) // if the buffer grew by doubling, it would have the value three times for a moment
	}
	p := page{rows: 1, encoding: format.Plain, bytes: int64(len(value))}
	return c.write(&p, lengthSize+len(value), int(packed.written), sum.Sum32(), func(w io.Writer) error {
		return compressValue(w, value, c.dense)
	})
}

// lengthSize is the size of the length before a plain value.
const lengthSize = 4

// compressValue writes the compressed value. It holds only a part of the value at a time.
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
