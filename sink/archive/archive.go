package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"iter"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink"
	"github.com/houndtrail/houndtrail/sink/archive/read"
)

// putsInFlight is how many objects a window uploads at a time. As a rule a window has one or two days. Only a window of a time
// with few records has more.
const putsInFlight = 4

// inHand is the number of windows for which the archive keeps encoders. underWay is the number of windows for which it keeps
// buffers.
const (
	inHand   = 2
	underWay = 6
)

// Encoder is the format of the objects. It makes one object at a time.
type Encoder interface {
	// Encode writes one object. The same window and records give the same bytes.
	Encode(w io.Writer, win window.Window, records []record.Record) error
	// IDs reads the ids of the records in an object that Encode made.
	IDs(object []byte) ([]int64, error)
	// Held is about how many bytes the encoder's own buffers take.
	Held() int
	// Extension is the end of a key, such as ".parquet".
	Extension() string
}

// An Archive writes windows into a bucket.
type Archive struct {
	bucket   bucket.Bucket
	tenant   string
	encoders sink.Pool[Encoder]
	buffers  sink.Pool[*bytes.Buffer] // each holds the objects of a window
	decoding func(decode func())      // calls decode
}

// Decoding makes the archive call through whenever it decodes objects. It is for a test with its own time (a bubble of package
// synctest): the Parquet library keeps decoders with channels in pools, and none of them may belong to a bubble.
func (a *Archive) Decoding(through func(decode func())) { a.decoding = through }

// New returns the archive of a tenant. The tenant's name becomes part of keys and of SQL: letters, digits and ._- only. The
// archive makes as many encoders as it encodes windows at a time.
func New(b bucket.Bucket, tenant string, encoder func() Encoder) (*Archive, error) {
	if err := read.CheckTenant(tenant); err != nil {
		return nil, err
	}
	return &Archive{
		bucket: b, tenant: tenant, encoders: sink.NewPool(inHand, encoder, Encoder.Held),
		decoding: func(decode func()) { decode() },
		buffers:  sink.NewPool(underWay, func() *bytes.Buffer { return new(bytes.Buffer) }, (*bytes.Buffer).Cap),
	}, nil
}

// Prepare encodes one object for each day that has records. Without records, it encodes none. It changes nothing outside the
// process, and does not keep the records. These are sorted by (created_at, id), and may be older than the window. The caller
// calls write once. Until then, the objects take size bytes.
//
// When write returns without an error, all objects are durable. After an error or a crash, some of them may be durable. The
// next attempt at the same window replaces those, if it brings their records again.
func (a *Archive) Prepare(
	w window.Window, records []record.Record,
) (write func(context.Context) (checkpoint.Receipt, error), size int64, err error) {
	days, err := split(records)
	if err != nil {
		return nil, 0, fmt.Errorf("archive the window from %s: %w", w.Start.UTC().Format(time.RFC3339Nano), err)
	}
	buffer := a.buffers.Take()
	buffer.Reset()
	objects, err := a.encode(buffer, w, 0, days)
	if err != nil {
		return nil, 0, err
	}
	return func(ctx context.Context) (checkpoint.Receipt, error) {
		defer a.buffers.Give(buffer)
		return a.write(ctx, objects)
	}, int64(buffer.Cap()), nil
}

// encode makes the objects of a window, or of one part of it. Their bodies are in the buffer.
func (a *Archive) encode(buffer *bytes.Buffer, w window.Window, part int, days [][]record.Record) ([]object, error) {
	encoder := a.encoders.Take()
	defer a.encoders.Give(encoder)
	objects := make([]object, len(days))
	for i, day := range days {
		name := key(a.tenant, day[0].CreatedAt, w, part, encoder.Extension())
		start := buffer.Len()
		if err := encoder.Encode(buffer, w, day); err != nil {
			return nil, fmt.Errorf("archive %s/%s: %w", a.bucket, name, err)
		}
		body := buffer.Bytes()[start:]
		line := sink.Object(name, len(body), sha256.Sum256(body), stamps(day))
		line.RecordsRoot = sink.RootOf(day)
		objects[i] = object{body, line}
	}
	start := 0
	for i := range objects { // the buffer may have moved as it grew
		end := start + len(objects[i].body)
		objects[i].body = buffer.Bytes()[start:end:end]
		start = end
	}
	return objects, nil
}

// An object is a day of a window, ready to be written.
type object struct {
	body []byte
	line checkpoint.Object // for the receipt
}

func stamps(day []record.Record) iter.Seq[sink.Stamp] {
	return func(yield func(sink.Stamp) bool) {
		for i := range day {
			if !yield(sink.StampOf(&day[i])) {
				return
			}
		}
	}
}

// write writes the objects to the bucket. If Houndtrail crashes after it, and before the commit of the window, the objects
// stay. The next attempt replaces them.
func (a *Archive) write(ctx context.Context, objects []object) (checkpoint.Receipt, error) {
	receipt := checkpoint.Receipt{Objects: make([]checkpoint.Object, len(objects))}
	puts, ctx := errgroup.WithContext(ctx)
	puts.SetLimit(putsInFlight)
	for i, o := range objects {
		receipt.Objects[i] = o.line
		puts.Go(func() error {
			if err := ctx.Err(); err != nil { // another day has failed, or the program is stopping
				return fmt.Errorf("archive %s/%s: %w", a.bucket, o.line.Key, err)
			}
			return a.put(ctx, o.line.Key, o.body)
		})
	}
	if err := puts.Wait(); err != nil {
		return checkpoint.Receipt{}, err
	}
	return receipt, nil
}
