package archive

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"houndtrail/checkpoint"
	"houndtrail/exporter/bloodhound"
	"houndtrail/exporter/window"
	"houndtrail/sink"
)

// putsInFlight is how many objects are uploaded at a time, and how many encoded ones are held in memory. Only a window
// of sparse history has more than one or two days.
const putsInFlight = 4

// Bucket is where the objects go. It is the part that an archive needs of a checkpoint.Bucket, and has its contract.
type Bucket interface {
	Get(ctx context.Context, key string) (body []byte, version string, age time.Duration, err error)
	Put(ctx context.Context, key string, body []byte, version string) (string, error)
	String() string
}

// Encoder is the format of the objects.
type Encoder interface {
	// Encode writes one object. The same window and records give the same bytes.
	Encode(w io.Writer, win window.Window, records []bloodhound.Record) error
	// IDs reads the ids of the records in an object that Encode made.
	IDs(object []byte) ([]int64, error)
	// Extension is what a key ends in: ".parquet".
	Extension() string
}

// An Archive writes windows into a bucket.
type Archive struct {
	bucket  Bucket
	tenant  string
	buffers chan *bytes.Buffer // those that no upload holds

	mu      sync.Mutex // the encoder makes one object at a time
	encoder Encoder
}

// New returns the archive of a tenant, whose name becomes part of keys and of SQL: letters, digits and ._- only.
func New(bucket Bucket, tenant string, encoder Encoder) (*Archive, error) {
	if err := checkTenant(tenant); err != nil {
		return nil, err
	}
	a := &Archive{bucket: bucket, tenant: tenant, encoder: encoder, buffers: make(chan *bytes.Buffer, putsInFlight)}
	for range putsInFlight {
		a.buffers <- new(bytes.Buffer)
	}
	return a, nil
}

// Write makes one object for each day that the records are of, and with no records none. All of them are durable when
// it returns without an error. After an error, or a crash, some may be: the next Write of the same window replaces
// those, as long as it brings their records again.
//
// Records are sorted by (created_at, id) and may be older than the window. They are not kept.
func (a *Archive) Write(ctx context.Context, w window.Window, records []bloodhound.Record) (checkpoint.Receipt, error) {
	days, err := split(records)
	if err != nil {
		return checkpoint.Receipt{}, fmt.Errorf("archive the window from %s: %w", w.Start.UTC().Format(time.RFC3339Nano), err)
	}
	receipt := checkpoint.Receipt{Objects: make([]checkpoint.Object, len(days))}
	puts, ctx := errgroup.WithContext(ctx)
	puts.SetLimit(putsInFlight)
	for i, day := range days {
		puts.Go(func() (err error) {
			receipt.Objects[i], err = a.writeDay(ctx, w, day)
			return err
		})
	}
	if err := puts.Wait(); err != nil {
		return checkpoint.Receipt{}, err
	}
	return receipt, nil
}

// writeDay makes one object. A crash after it, and before the window is committed, leaves an orphan for put to replace.
func (a *Archive) writeDay(ctx context.Context, w window.Window, day []bloodhound.Record) (checkpoint.Object, error) {
	buffer := <-a.buffers
	defer func() { a.buffers <- buffer }()
	key := key(a.tenant, day[0].CreatedAt, w.Start, a.encoder.Extension())
	if err := ctx.Err(); err != nil { // another day failed, or the program is stopping
		return checkpoint.Object{}, fmt.Errorf("archive %s/%s: %w", a.bucket, key, err)
	}
	if err := a.encode(buffer, w, day); err != nil {
		return checkpoint.Object{}, fmt.Errorf("archive %s/%s: %w", a.bucket, key, err)
	}
	if err := a.put(ctx, key, buffer.Bytes(), day); err != nil {
		return checkpoint.Object{}, err
	}
	return sink.Object(key, buffer.Bytes(), day), nil
}

func (a *Archive) encode(buffer *bytes.Buffer, w window.Window, day []bloodhound.Record) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	buffer.Reset()
	return a.encoder.Encode(buffer, w, day)
}
