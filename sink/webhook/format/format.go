package format

import (
	"io"

	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/webhook/expect"
)

// A Format writes records as one kind of receiver takes them, and reads that receiver's answers. It is safe for concurrent use,
// and the same records give the same bytes: a batch that is sent again must have the same body.
type Format interface {
	// ContentType is that of a batch.
	ContentType() string
	// Limits are what the receiver takes, and how much of its answer counts.
	Limits() Limits
	// Append appends a record to the body of a batch, complete with whatever separates it from the next one.
	Append(dst []byte, r *record.Record) []byte
	// Write writes the bytes that Append appends. Houndtrail calls it for long records: it should hold a part of them at a time.
	Write(w io.Writer, r *record.Record) (int, error)
	// Read says what an answer means for its batch. It gets every answer but redirects and the refusals of a proxy.
	Read(a Answer) Verdict
}

// Options are what a format is made from.
type Options struct {
	// Tenant goes into every record and event id.
	Tenant string
	// Compression is that of the bodies. A format only speaks of it, in its advice.
	Compression ndjson.Compression
	// Expect is what an answer must say, besides what the format itself demands.
	Expect expect.Expectation
}

// Limits are what a receiver takes. The user may set other ones for the batch.
type Limits struct {
	Records int // of one batch
	Bytes   int // of one batch before compression; a larger record goes alone
	Alone   int // the size from which a record goes alone, whatever the other limits
	Answer  int // how many bytes of an answer are read
}

// An Answer is what a receiver says to a batch.
type Answer struct {
	Status      int    // of HTTP
	ContentType string // the header
	Body        []byte // the first [Limits].Answer bytes of it
	// Quote makes a text from the answer fit for an error: printable, short, and without the secrets of the request. No verdict
	// may hold a text from the answer that did not go through it.
	Quote func(text string) string
}

// A Verdict is what an answer means for its batch.
type Verdict struct {
	Class  Class
	Why    string // the answer does not say what its status says; it continues the words "the receiver answered 200 OK, "
	Advice string // what to do next; "" if there is nothing to say
}

// A Class is what Houndtrail does with a batch after an answer.
type Class int

// The classes. Whatever a format does not know is Stop: an answer that Houndtrail does not understand acknowledges nothing.
const (
	// Stop is for people to mend: credentials, an address, a setting.
	Stop Class = iota
	// OK is the receiver's word that it has the batch.
	OK
	// Retry may pass by itself: Houndtrail sends the same batch again, for as long as it has patience.
	Retry
	// Unexpected is a success by its status and none by what it says. Houndtrail sends the same batch again, a few times only.
	Unexpected
	// Split is a batch that is too large: Houndtrail sends it in parts of fewer bytes.
	Split
	// Narrow is a batch that is refused for one of its records: Houndtrail sends it in parts of fewer records, until that record is
	// alone.
	Narrow
)
