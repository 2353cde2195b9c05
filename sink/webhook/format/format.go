package format

import (
	"io"
	"net/url"
	"time"

	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/webhook/expect"
	"github.com/houndtrail/houndtrail/sink/webhook/schema"
)

// A Format writes records in the form that one kind of receiver takes, and reads that receiver's answers. It is safe for concurrent
// use. The same records give the same bytes: if Houndtrail sends a batch again, it must have the same body.
//
// A body is the frame's Open, the items with Between between them, and the frame's Close. An item is one record. Package webhook
// puts bodies together and takes them apart. So a format need not know at which record a batch begins or ends.
type Format interface { //nolint:interfacebloat // it is one receiver, and each method a part of what it takes or says
	// ContentType returns the content type of a batch.
	ContentType() string
	// Credential returns the name of the header that has the user's credential, such as Authorization.
	Credential() string
	// Address returns the address for batches. The sink calls it once, with the address that the user gave. If the user gave the
	// complete path, Address keeps it. It returns u, or a changed copy.
	Address(u *url.URL) *url.URL
	// Limits returns the receiver's limits for a batch, and how much of its answer Houndtrail reads.
	Limits() Limits
	// Frame returns the text around the items of a walk's batches.
	Frame(w Walk) Frame
	// Append appends a record as an item of a body. If the record is over the receiver's limit, it cuts and marks the record.
	Append(dst []byte, r *record.Record) []byte
	// Write writes the same bytes as Append. Houndtrail calls it for long records: Write should have only a part of them in memory at
	// a time.
	Write(w io.Writer, r *record.Record) (int, error)
	// AppendEvent appends an event that is no record, as an item. event is an object of JSON on one line, with a type, an event_id and
	// a time: cursor, at or created_at. The receiver must be able to distinguish it from a record. If the receiver knows the event_id, it
	// must be able to drop the event.
	AppendEvent(dst, event []byte) []byte
	// Headers returns the headers of this one batch, in addition to those of every request. Nil means none.
	Headers(b Batch) []Header
	// Read says what an answer means for its batch. It gets every answer except redirects and the refusals of a proxy.
	Read(a Answer, b Batch) Verdict
	// Question returns the address of a GET that asks the receiver about itself, and changes nothing there. The GET has the credential of
	// a batch, so the address is at the same receiver. u is the address as the user gave it. Nil means that nothing there answers.
	Question(u *url.URL) *url.URL
	// Examined says what the answer to Question means. It gets every answer except redirects.
	Examined(a Answer) Finding
}

// An Acknowledger is a format whose receiver says only later whether it has stored a batch. Until then, the verdict on its answer
// is [Pending], with the number with which to ask.
type Acknowledger interface {
	Format
	// Poll returns the question about the acknowledgement of a batch: the address for the POST, and its body. The question has the
	// headers of the batch.
	Poll(u *url.URL, ack string) (to *url.URL, body []byte)
	// Polled says what the answer to Poll means for the batch. It is [OK] if the batch is stored, and [Pending] if it is not stored
	// yet, or never will be. It is [Retry] if the answer says nothing about the batch, or [Stop].
	Polled(a Answer, ack string) Verdict
}

// A Walk names the records that Houndtrail reads one after the other, in the order of their time. A later walk may go back in time.
type Walk struct {
	Pass   uint64 // of the windows; 0 for most walks that continue at the position
	Events bool   // the items are events that are no records
}

// A Frame has the text around the items of a body.
type Frame struct{ Open, Between, Close string }

// A Batch is the content of one POST, with the facts that its headers and its answer need.
type Batch struct {
	Walk
	ID      string // 32 hexadecimal digits; the same records always give the same id
	Records int    // the number of items, also if they are events
	Bytes   int    // of the body before compression
	Round   int    // how often Houndtrail has sent the batch again because its acknowledgement did not come
}

// A Header is one line of an HTTP header. It has no secret.
type Header struct{ Name, Value string }

// Options are the settings of a format.
type Options struct {
	// Tenant is in every record and in every event id.
	Tenant string
	// Compression is the compression of the bodies. A format uses it only in its advice.
	Compression ndjson.Compression
	// Schema is the name of the schema of the events, one of [schema.Names]. "" means Native. TrustedProxies is the option of that
	// name.
	Schema         string
	TrustedProxies int
	// Expect has the user's demands on an answer, in addition to the demands of the format itself.
	Expect expect.Expectation
	// RecordBytes is a size that the user may set: if the text of one record is larger, the format cuts it. 0 means the format's own
	// limit.
	RecordBytes int
	// AllowStale says that the user knows what the receiver does with events that are older than [Limits].Age.
	AllowStale bool
	// BareLines sends each entry without structured metadata, for a Loki that does not take it.
	BareLines bool
	// HEC has the settings of the format splunk-hec.
	HEC HECOptions

	events schema.Schema // New makes it
}

// Limits are the limits of a receiver. The user may set other limits for the batch.
type Limits struct {
	Records int // of one batch
	Bytes   int // of one batch before compression; a larger record is a batch by itself
	Alone   int // a record of this size or more is a batch by itself, even if the other limits allow more
	Record  int // the size of the largest record that the receiver takes: the format cuts a larger one; 0 for no limit
	Answer  int // how many bytes of an answer Houndtrail reads
	// AnswerRecord is how many more bytes of an answer Houndtrail reads for each record of the batch, up to 64 MiB in all. It is for a
	// receiver that answers for each record.
	AnswerRecord int
	// Age is the age from which the receiver drops a record, or gives it another time. 0 means no limit.
	Age time.Duration
	// Stale says what the receiver does with records of that age. It is the beginning of an advice that ends in a setting.
	Stale string
	// Ordered says that the receiver refuses records that are behind others: Houndtrail sends the batches one after the other, in the
	// order of time.
	Ordered bool
}

// An Answer is a receiver's answer to a batch.
type Answer struct {
	Status      int    // of HTTP
	ContentType string // the header
	Body        []byte // its first bytes, as many as [Limits] allows
	// Quote makes a text from the answer fit for an error: printable, short, and without the secrets of the request. A verdict may
	// have a text from the answer only if the text went through Quote.
	Quote func(text string) string
}

// A Verdict says what an answer means for its batch.
type Verdict struct {
	Class  Class
	Why    string // why the answer does not mean the same as its status; it continues "the receiver answered 200 OK, "
	Advice string // what people should do next; "" if there is nothing to say

	// Items are the records whose class is not the one of the batch, in their order. Nil means that all records are alike. Houndtrail
	// sends an item of class Retry again, without the others. The receiver refuses an item of class Narrow for its content. People
	// have to mend an item of class Stop.
	Items []Item
	// Wait is how long to wait before the next try, if the answer does not say it in Retry-After but in another place.
	Wait time.Duration
	// Slow says that the receiver has the batch, and that it is near its limit: for a minute, half as many batches are in flight.
	Slow bool
	// Aside is how many records the receiver has stored in another place than Houndtrail asked for. People should look at them.
	Aside int
	// Ack is the number of the acknowledgement of a Pending batch.
	Ack string
}

// An Item says what an answer means for one record of its batch.
type Item struct {
	N     int // the record's place in the batch, from 0
	Class Class
	Why   string // it continues "the receiver answered 200 OK, "
}

// A Class says what Houndtrail does with a batch, or with a record of it, after an answer.
type Class int

// These are the classes. An answer that a format does not know is Stop: an answer that Houndtrail does not understand acknowledges
// nothing.
const (
	// Stop means that people have to mend something: credentials, an address, a setting.
	Stop Class = iota
	// OK means that the receiver says that it has the batch.
	OK
	// Pending means that the receiver will say later whether it has the batch: see [Acknowledger].
	Pending
	// Retry means that the failure may pass by itself: Houndtrail sends the same batch again, until its patience ends.
	Retry
	// Unexpected means a success by the status, but not by the content. Houndtrail sends the same batch again, but only a few times.
	Unexpected
	// Split means that the batch is too large: Houndtrail sends it in parts of fewer bytes.
	Split
	// Narrow means that the receiver refuses the batch for one of its records: Houndtrail sends it in parts of fewer records, until
	// that record is alone.
	Narrow
)
