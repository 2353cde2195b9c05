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

// A Format writes records in the form that one kind of receiver takes, and reads that receiver's answers. It is safe for
// concurrent use. The same records give the same bytes: a batch that is sent again must have the same body.
//
// A body is the frame's Open, the items with Between between them, and the frame's Close. An item is one record. Package webhook
// puts bodies together and takes them apart, so that a format need not know where a batch begins or ends.
type Format interface { //nolint:interfacebloat // it is one receiver, and each method a part of what it takes or says
	// ContentType is the content type of a batch.
	ContentType() string
	// Credential is the header that has the user's credential, such as Authorization.
	Credential() string
	// Address is the address of a batch, made once of the address that the user gave. A user who gave the complete path keeps it. The
	// format returns u, or a changed copy.
	Address(u *url.URL) *url.URL
	// Limits are the receiver's limits for a batch, and how much of its answer counts.
	Limits() Limits
	// Frame is the text around the items of a walk's batches.
	Frame(w Walk) Frame
	// Append appends a record as an item of a body. It cuts a record that is over the receiver's limit, and marks it.
	Append(dst []byte, r *record.Record) []byte
	// Write writes the bytes that Append appends. Houndtrail calls it for long records: it should hold a part of them at a time.
	Write(w io.Writer, r *record.Record) (int, error)
	// AppendEvent appends an event that is no record, as an item. event is an object of JSON with a type, an event_id and a time,
	// cursor, on one line. The receiver must be able to tell it from a record, and to drop it if it knows the event_id.
	AppendEvent(dst, event []byte) []byte
	// Headers are the headers of this one batch, beside those of every request; nil for none.
	Headers(b Batch) []Header
	// Read says what an answer means for its batch. It gets every answer except redirects and the refusals of a proxy.
	Read(a Answer, b Batch) Verdict
}

// An Acknowledger is a format whose receiver tells later whether it has stored a batch. Until then, the verdict on its answer is
// [Pending], with the number by which to ask.
type Acknowledger interface {
	Format
	// Poll is the question about the acknowledgement of a batch: where to post it, and its body. It has the headers of the batch.
	Poll(u *url.URL, ack string) (to *url.URL, body []byte)
	// Polled says what the answer to Poll means for the batch: [OK] if it is stored, [Pending] if it is not stored yet or never will
	// be, [Retry] if the answer says nothing about it, or [Stop].
	Polled(a Answer, ack string) Verdict
}

// A Walk names the records that Houndtrail reads in one go, in the order of their time. A later walk may go back in time.
type Walk struct {
	Pass   uint64 // of the windows; most walks that go on from the position have 0
	Events bool   // the items are events that are no records
}

// A Frame is the text around the items of a body.
type Frame struct{ Open, Between, Close string }

// A Batch is the content of one POST, as its headers and its answer are concerned.
type Batch struct {
	Walk
	ID      string // 32 hexadecimal digits, the same when the same records come together again
	Records int    // the items, also if they are events
	Bytes   int    // of the body before compression
	Round   int    // how often Houndtrail has sent the batch anew since its acknowledgement did not come
}

// A Header is one line of an HTTP header. It holds no secret.
type Header struct{ Name, Value string }

// Options are the settings of a format.
type Options struct {
	// Tenant goes into every record and event id.
	Tenant string
	// Compression is the compression of the bodies. A format uses it only in its advice.
	Compression ndjson.Compression
	// Schema is the name of the schema of the events, one of [schema.Names]; Native when empty. TrustedProxies is the option of that name.
	Schema         string
	TrustedProxies int
	// Expect is what an answer must say, besides the demands of the format itself.
	Expect expect.Expectation
	// RecordBytes is the size of the text of one record from which a format cuts it, if the user sets one; 0 is the format's own.
	RecordBytes int
	// AllowStale tells that the user knows what the receiver does with events that are older than [Limits].Age.
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
	Bytes   int // of one batch before compression; a larger record goes alone
	Alone   int // the size from which a record goes alone, whatever the other limits
	Record  int // the size of one record that the receiver takes: a larger one is cut; 0 for no limit
	Answer  int // how many bytes of an answer are read
	// AnswerRecord is how many more bytes of an answer are read for each record of the batch, up to 64 MiB in all: for a receiver that
	// answers for each.
	AnswerRecord int
	// Age is the age of a record from which the receiver drops it, or gives it another time; 0 for no limit.
	Age time.Duration
	// Stale says what the receiver does with records of that age, as the beginning of an advice that ends in a setting.
	Stale string
	// Ordered tells that the receiver refuses records that are behind others: batches go one after the other, in the order of time.
	Ordered bool
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

	// Items are the records that do not share the fate of the batch, in their order; nil if all are alike. An item of class Retry is
	// sent again alone. An item of class Narrow is refused for its own content. An item of class Stop is for people to mend.
	Items []Item
	// Wait is how long to wait before the next try, if the answer says so elsewhere than in Retry-After.
	Wait time.Duration
	// Slow tells that the receiver has the batch and is near its limit: for a minute, half as many batches go at a time.
	Slow bool
	// Aside is how many records the receiver has stored in another place than asked, for people to look at.
	Aside int
	// Ack is the number of the acknowledgement of a Pending batch.
	Ack string
}

// An Item is what an answer says about one record of its batch.
type Item struct {
	N     int // the record's place in the batch, from 0
	Class Class
	Why   string // it continues "the receiver answered 200 OK, "
}

// A Class is what Houndtrail does with a batch, or with a record of it, after an answer.
type Class int

// The classes. An answer that a format does not know is Stop: an answer that Houndtrail does not understand acknowledges nothing.
const (
	// Stop is for people to mend: credentials, an address, a setting.
	Stop Class = iota
	// OK is the receiver's word that it has the batch.
	OK
	// Pending is the receiver's word that it will tell later whether it has the batch: see [Acknowledger].
	Pending
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
