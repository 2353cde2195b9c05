package bloodhound

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/klauspost/compress/gzip"
)

const (
	// fullPage is what a page is meant to hold, in bytes of the size that the latest records had: half of what it may.
	fullPage = DefaultMaxPage / 2
	// fitGrowth is how much larger than the page before a page may be: records come in all sizes.
	fitGrowth = 8
)

// fit takes in how large the records of a page are: that many are asked for next that a page holds.
func (c *Client) fit(records, size int) {
	if records == 0 {
		return
	}
	n := int64(fullPage) * int64(records) / int64(max(size, 1))
	c.fits.Store(max(1, min(n, fitGrowth*c.fits.Load(), int64(c.options.PageSize))))
}

// most is how many bytes a page of one record may have.
func (r *reader) most() int64 {
	if r.limits.Large {
		return r.c.options.MaxBody
	}
	return r.c.options.MaxPage
}

// tooLarge deals with a single record that is larger than allowed: with the leave to read large ones it is one that cannot
// be kept at all. What is known of it becomes a hole, whatever Options.Quarantine says: repairing it is out of reach for
// most, and one record must not end the archive.
func (r *reader) tooLarge(ctx context.Context, q Query, cause error) (seen, error) {
	if !r.limits.Large {
		return seen{}, &LargeError{Page: r.c.options.MaxPage}
	}
	stub, err := r.c.measure(ctx, q)
	if err != nil {
		return seen{}, err
	}
	if stub.id == 0 || stub.createdAt.IsZero() {
		return seen{}, fmt.Errorf("%w; it is a single record, and its id and created_at do not stand at its beginning, so it cannot "+
			"be told apart and left out", cause)
	}
	if stub.createdAt.Before(q.After) || stub.createdAt.After(q.Before) {
		return seen{}, strayError(stub.id, stub.createdAt, q.After, q.Before)
	}
	known := slices.ContainsFunc(r.b.unprinted, Hole{ID: stub.id, CreatedAt: stub.createdAt}.is)
	if !known { // the edge of a page is read twice
		r.b.unprinted = append(r.b.unprinted, Hole{
			CreatedAt: stub.createdAt, ID: stub.id,
			Reason: fmt.Sprintf("larger than the %d bytes that a record may have: %d bytes, SHA-256 %x", r.c.options.MaxBody, stub.size, stub.sum),
		})
	}
	at := seen{
		records: 1, newest: stub.createdAt, oldest: stub.createdAt, first: stub.id, last: stub.id, newestFirst: true, limit: 1,
	}
	return at, nil
}

// largeEdge is the row that a query for one asks for, if it is larger than a page may be. It is not held.
func (c *Client) largeEdge(ctx context.Context, q Query) (edge, error) {
	found, err := c.measure(ctx, q)
	if err != nil {
		return edge{}, err
	}
	e := edge{ok: true, at: found.createdAt, count: found.count}
	switch {
	case e.at.IsZero():
		e.at, e.dark = q.Before, q.After.Before(q.Before)
	case e.at.Before(q.After) || e.at.After(q.Before):
		return edge{}, strayError(found.id, e.at, q.After, q.Before)
	}
	return e, nil
}

// A stub is what is known of a record that is too large to be kept.
type stub struct {
	count     int64 // of the server's; -1 when it tells none
	id        int64
	createdAt time.Time
	size      int64
	sum       [sha256.Size]byte // of its bytes as served
}

// headSize is how much of a record is looked at for its id and time.
const headSize = 64 << 10

// measure reads the one record that answers a query without holding it.
func (c *Client) measure(ctx context.Context, q Query) (found stub, err error) {
	err = c.retry(ctx, func(ctx context.Context) error {
		r, err := c.exchange(ctx, q.target(), func(res *http.Response) (b *buffer, err error) {
			b = c.shelf.take()
			found, err = b.measure(res)
			return b, err
		})
		if err == nil {
			r.body.release()
		}
		return err
	})
	return found, err
}

// measure reads a page of one record, of which it keeps the beginning and the end.
func (b *buffer) measure(res *http.Response) (found stub, err error) {
	body := io.Reader(res.Body)
	if res.Header.Get("Content-Encoding") != "" {
		unzipped, err := gzip.NewReader(res.Body)
		if err != nil {
			return found, err
		}
		body = unzipped
	}
	if err := b.fill(io.LimitReader(body, headSize), headSize); err != nil {
		return found, err
	}
	found, start := readHead(b.b)
	rest := tail{sum: sha256.New()}
	_, _ = rest.Write(b.b[start:])
	n, err := io.Copy(&rest, body)
	if err != nil {
		return found, err
	}
	if !bytes.HasSuffix(bytes.TrimRight(rest.held, jsonSpace), endOfLogs) {
		return found, io.ErrUnexpectedEOF // what cut it has mended HTTP's framing
	}
	if n > 0 {
		b.b = append(b.b, rest.held...)
	}
	found.size, found.sum = rest.end()
	return found, nil
}

// readHead finds what identifies the first record of a page, and where the record begins.
func readHead(head []byte) (found stub, start int) {
	s := &scanner{buf: head}
	found.count = -1
	var seen keys
	_ = s.object(func(key []byte) error { // it ends in the middle of a record, and so in an error
		switch string(key) {
		case "data":
		case "count":
			return s.integer(&found.count)
		default:
			_, err := s.value()
			return err
		}
		return s.object(func(key []byte) error {
			if string(key) != "logs" || s.expect('[') != nil || s.peek() != '{' {
				return s.fail("not as expected")
			}
			start = s.pos
			return s.object(func(key []byte) error {
				switch string(key) {
				case "id":
					return s.id(&found.id, &seen)
				case "created_at":
					return s.createdAt(&found.createdAt, &seen)
				default:
					_, err := s.value()
					return err
				}
			})
		})
	})
	return found, start
}

// A digest is a hash under way.
type digest interface {
	io.Writer
	Sum(onto []byte) []byte
}

// A tail hashes a record that is followed by the end of its page.
type tail struct {
	sum  digest
	size int64
	held []byte // what may be of the page's end
}

// pageEnd is more than what may follow the record.
const pageEnd = 64

func (t *tail) Write(p []byte) (int, error) {
	t.held = append(t.held, p...)
	if sure := len(t.held) - pageEnd; sure > 0 {
		t.take(t.held[:sure])
		t.held = append(t.held[:0], t.held[sure:]...)
	}
	return len(p), nil
}

func (t *tail) take(p []byte) {
	_, _ = t.sum.Write(p)
	t.size += int64(len(p))
}

func (t *tail) end() (size int64, sum [sha256.Size]byte) {
	t.take(bytes.TrimSuffix(bytes.TrimRight(t.held, jsonSpace), endOfLogs))
	return t.size, [sha256.Size]byte(t.sum.Sum(nil))
}
