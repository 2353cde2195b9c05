package deadletter

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
)

// A Box has the letters of one journal. It is safe for concurrent use.
type Box struct {
	bucket bucket.Bucket
	stream string
	newest func(context.Context) (checkpoint.Stored, error)
	tally  tally
}

// NewBox returns the letters of the stream whose journal is in b. newest loads the newest entry of that journal. NewBox does not
// touch the store.
func NewBox(b bucket.Bucket, stream string, newest func(context.Context) (checkpoint.Stored, error)) *Box {
	return &Box{bucket: b, stream: stream, newest: newest, tally: newTally()}
}

// Write makes a letter durable, and returns it as the journal has to name it, without its place. If an attempt that was not committed
// has left the letter, Write keeps that one. A crash before the entry that names the letter leaves an object that is no letter yet.
func (b *Box) Write(ctx context.Context, l Letter) (checkpoint.Letter, error) {
	ref := l.Ref()
	body, err := l.encode()
	if err != nil {
		return ref, fmt.Errorf("encode the letter of event %s: %w", l.EventID, err)
	}
	ref.SHA256 = digest(body)
	_, err = b.bucket.Put(ctx, Key(b.stream, ref), body, "")
	if errors.Is(err, fs.ErrExist) {
		body, err = b.get(ctx, ref)
		ref.SHA256 = digest(body)
	}
	if err != nil {
		return ref, fmt.Errorf("put event %s into the dead letter: %w", l.EventID, err)
	}
	return ref, nil
}

func (b *Box) get(ctx context.Context, ref checkpoint.Letter) ([]byte, error) {
	body, _, _, err := b.bucket.Get(ctx, Key(b.stream, ref))
	return body, err
}

// ErrUnreadable says that a letter is missing, or is not as Houndtrail wrote it. The error that wraps it gives the next step.
var ErrUnreadable = errors.New("the letter cannot be read")

// Read reads a letter.
func (b *Box) Read(ctx context.Context, ref checkpoint.Letter) (Letter, error) {
	body, err := b.get(ctx, ref)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = fmt.Errorf("%w: %w: the archive still has the record; restore the object from the store's earlier versions, or drop the letter "+
			"with that reason", ErrUnreadable, err)
	case err != nil:
	default:
		var l Letter
		if l, err = decode(body); err == nil && !l.Ref().Same(ref) {
			err = fmt.Errorf("it is the letter of event %s", l.EventID)
		}
		if err == nil {
			return l, nil
		}
		err = fmt.Errorf("%w: %s in %s: %w: restore the object from the store's earlier versions, or drop the letter with that reason",
			ErrUnreadable, Key(b.stream, ref), b.bucket, err)
	}
	return Letter{ID: ref.ID, CreatedAt: ref.CreatedAt}, err
}

// Open returns the open letters, oldest entry first.
func (b *Box) Open(ctx context.Context) ([]checkpoint.Letter, error) {
	newest, err := b.load(ctx)
	return newest.DeadLetters, err
}

func (b *Box) load(ctx context.Context) (checkpoint.Stored, error) {
	newest, err := b.newest(ctx)
	if errors.Is(err, checkpoint.ErrNotFound) {
		err = nil
	}
	return newest, err
}
