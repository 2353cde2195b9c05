package webhook

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"

	"houndtrail/checkpoint"
	"houndtrail/exporter/bloodhound"
	"houndtrail/sink"
	"houndtrail/sink/ndjson"
)

// batch is what one POST carries. It is filled again and again, and keeps its buffers: memory is bounded by the largest
// batch, once plain and once compressed.
type batch struct {
	records []bloodhound.Record // a view of the window's
	plain   []byte
	sum     [sha256.Size]byte // of plain
	wire    []byte            // as sent: plain itself, or compressed into zipped

	zipped bytes.Buffer
	zip    *gzip.Writer
}

// longLine is the size from which a line is sent alone, whatever the bounds. 256 KiB is where VictoriaLogs and others
// start to drop lines while they answer 200, and VictoriaLogs then loses up to as much of what follows in the body.
const longLine = 256 << 10

// fill takes as many of the records as fit into both bounds, but at least the first.
func (b *batch) fill(e encoder, records []bloodhound.Record, maxRecords, maxBytes int) {
	b.plain = b.plain[:0]
	n := 0
	for n < min(len(records), maxRecords) {
		end := len(b.plain)
		b.plain = e.Append(b.plain, &records[n])
		long := len(b.plain)-end >= longLine
		if n > 0 && (long || len(b.plain) > maxBytes) {
			b.plain = b.plain[:end] // the next batch starts with it
			break
		}
		n++
		if long {
			break
		}
	}
	b.records = records[:n]
}

// seal makes the batch ready to be sent.
func (b *batch) seal(c Compression) error {
	b.sum = sha256.Sum256(b.plain)
	if c == None {
		b.wire = b.plain
		return nil
	}
	b.zipped.Reset()
	if b.zip == nil {
		b.zip = ndjson.NewGzip(&b.zipped)
	} else {
		b.zip.Reset(&b.zipped)
	}
	if _, err := b.zip.Write(b.plain); err != nil {
		return err
	}
	if err := b.zip.Close(); err != nil {
		return err
	}
	b.wire = b.zipped.Bytes()
	return nil
}

// id depends on the content alone. 128 bits are plenty for telling one receiver's batches apart.
func (b *batch) id() string { return hex.EncodeToString(b.sum[:16]) }

func (b *batch) object() checkpoint.Object {
	return sink.Object("batch/"+b.id(), len(b.plain), b.sum, b.records)
}

// A loan lends a batch's bytes to one attempt. net/http may go on reading a body after it has returned the answer: a
// receiver that refuses early is the usual case. Without the end of the loan it would then send the next batch's bytes.
type loan struct {
	mu    sync.Mutex
	bytes []byte
	ended bool
}

func (l *loan) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bytes, l.ended = nil, true
}

// body starts a reading from the first byte. net/http takes a second one where an idle connection turned out dead.
func (l *loan) body() io.ReadCloser { return &loanReader{loan: l} }

type loanReader struct {
	loan *loan
	read int
}

var errLoanEnded = errors.New("the request is over")

// Read copies under the lock, so that nothing reads the buffer once the loan has ended.
func (r *loanReader) Read(p []byte) (int, error) {
	r.loan.mu.Lock()
	defer r.loan.mu.Unlock()
	switch {
	case r.loan.ended:
		return 0, errLoanEnded
	case r.read == len(r.loan.bytes):
		return 0, io.EOF
	}
	n := copy(p, r.loan.bytes[r.read:])
	r.read += n
	return n, nil
}

func (r *loanReader) Close() error { return nil }
