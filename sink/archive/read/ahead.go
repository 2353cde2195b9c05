package read

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"sync"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
)

// parallel is how many objects Houndtrail reads at a time. Memory holds all of these objects, and their contents.
const parallel = 8

// contents are the records of an object, without its bytes.
type contents struct {
	*File

	bytes   int
	records []identity
}

// An identity names a record in 16 bytes.
type identity struct {
	id        int64
	createdAt int64 // in microseconds since the epoch
}

func (i identity) instant() time.Time { return time.UnixMicro(i.createdAt).UTC() }

// ahead reads several objects at the same time, and yields their contents in order. After an error it yields nothing more.
func ahead(ctx context.Context, b bucket.Reader, objects []Object) iter.Seq2[contents, error] {
	type result struct {
		contents
		err error
	}
	return func(yield func(contents, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		var running sync.WaitGroup
		defer running.Wait()
		defer cancel()
		results := make([]chan result, len(objects))
		for next, i := 0, 0; i < len(objects); i++ {
			for ; next < len(objects) && next < i+parallel; next++ {
				object, to := objects[next], make(chan result, 1)
				results[next] = to
				running.Go(func() {
					c, err := get(ctx, b, object)
					to <- result{c, err}
				})
			}
			r := <-results[i]
			results[i] = nil
			if !yield(r.contents, r.err) || r.err != nil {
				return
			}
		}
	}
}

// get reads one object.
func get(ctx context.Context, b bucket.Reader, o Object) (contents, error) {
	body, _, _, err := b.Get(ctx, o.Key())
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: it was there a moment ago; see that nothing removes objects of the archive, and run again", err)
	}
	if err != nil {
		return contents{}, err
	}
	f, err := Open(body, o.Key())
	if err != nil {
		return contents{}, fmt.Errorf("read %s/%w", b, err)
	}
	c := contents{File: f, bytes: len(body)}
	err = f.Each(func(id int64, createdAt time.Time) error {
		c.records = append(c.records, identity{id, createdAt.UnixMicro()})
		return nil
	})
	if err != nil {
		return contents{}, fmt.Errorf("read %s/%w", b, err)
	}
	f.each = nil // each refers to the body, which would stay in memory
	return c, nil
}
