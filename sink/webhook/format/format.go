package format

import (
	"io"

	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/webhook/expect"
)

// A Format writes records in the form that one kind of receiver takes, and reads that receiver's answers. It is safe for
// concurrent use. The same records give the same bytes: a batch that is sent again must have the same body.
type Format interface { //nolint:interfacebloat // it is one receiver, and each method a part of what it takes or says
	// ContentType is the content type of a batch.
	ContentType() string
	// Limits are the receiver's limits for a batch, and how much of its answer counts.
	Limits() Limits
	// Append appends a record to the body of a batch, with the separator behind it.
	Append(dst []byte, r *record.Record) []byte
	// Write writes the bytes that Append appends. Houndtrail calls it for long records: it should hold a part of them at a time.
	Write(w io.Writer, r *record.Record) (int, error)
	// AppendEvent appends an event that is no record, as one with its separator behind it. event is an object of JSON with a type and
	// an event_id, on one line. The receiver must be able to tell it from a record, and to drop it if it knows the event_id.
	AppendEvent(dst, event []byte) []byte
	// Read says what an answer means for its batch. It gets every answer except redirects and the refusals of a proxy.
	Read(a Answer) Verdict
}

// Options are the settings of a format.
type Options struct {
	// Tenant goes into every record and event id.
	Tenant string
	// Compression is the compression of the bodies. A format uses it only in its advice.
	Compression ndjson.Compression
	// Expect is what an answer must say, besides the demands of the format itself.
	Expect expect.Expectation
}

// Limits are the limits of a receiver. The user may set other limits for the batch.
type Limits struct {
	Records int // of one batch
	Bytes   int // of one batch before compression; a larger record goes alone
	Alone   int // the size from which a record goes alone, whatever the other limits
	Answer  int // how many bytes of an answer are read
}

// An Answer is a receiver's answer to a batch.
type Answer struct {
	Status      int    // of HTTP
	ContentType string // the header
	Body        []byte // the first [Limits].Answer bytes of it
	// Quote makes a text from the answer fit for an error: printable, short, and without the secrets of the request. A verdict
	// may hold a text from the answer only if the text went through Quote.
	Quote func(text string) string
}

// A Verdict is what an answer means for its batch.
type Verdict struct {
	Class  Class
	Why    string // why the answer does not mean what its status means; it continues "the receiver answered 200 OK, "
	Advice string // what to do next; "" if there is nothing to say
}

// A Class is what Houndtrail does with a batch after an answer.
type Class int

// The classes. An answer that a format does not know is Stop: an answer that Houndtrail does not understand acknowledges nothing.
const (
	// Stop is for people to mend: credentials, an address, a setting.
	Stop Class = iota
	// OK is the receiver's word that it has the batch.
	OK
	// Retry may pass by itself: Houndtrail sends the same batch again, for as long as it has patience.
	Retry
	// Unexpected is a success by its status and not by its content. Houndtrail sends the same batch again, a few times only.
	Unexpected
	// Split is a batch that is too large: Houndtrail sends it in parts of fewer bytes.
	Split
	// Narrow is a batch that the receiver refuses for one of its records: Houndtrail sends it in parts of fewer records, until
	// that record is alone.
	Narrow
)
