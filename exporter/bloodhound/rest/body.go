package rest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
)

const (
	// OrdinaryBody is what a body has at most, in bytes, but for the rare one that a caller expects: so much memory is given to a
	// Content-Length before a byte of the body has come.
	OrdinaryBody = 8 << 20
	// firstRead is the room for a body of unknown length: gzip says nothing about what is inside.
	firstRead = 64 << 10
	// packedRead is read at a time of a compressed body.
	packedRead = 16 << 10
)

// A pool serves every client of the process, as the memory that it spares is the process's.
//
//nolint:gochecknoglobals // pools hold nothing that can be told apart
var gunzips = sync.Pool{New: func() any { return &gunzip{in: bufio.NewReaderSize(nil, packedRead)} }}

// A gunzip is a decoder with the buffer that it reads from.
type gunzip struct {
	in *bufio.Reader
	z  gzip.Reader
}

var errEncoding = errors.New("the body has a content encoding other than gzip, the only one that was asked for")

// A tooLargeError is a body that has more bytes than it may have.
type tooLargeError struct{ most int64 }

func (e tooLargeError) Error() string {
	return fmt.Sprintf("the reply is larger than %d bytes", e.most)
}

// A BodyReader reads the body of a 200.
type BodyReader func(*http.Response) (*Buffer, error)

// UpTo reads and unpacks a body of so many bytes when decoded. What it read before an error comes with the error: the
// beginning of an error page is better than nothing.
func (c *Client) UpTo(limit int64) BodyReader {
	return func(res *http.Response) (*Buffer, error) { return c.shelf.readBody(res, limit) }
}

// Through has an unpacked body of any size read as it comes. What the reader keeps of it is judged in its place.
func Through(read func(body io.Reader) (kept []byte, err error)) BodyReader {
	return func(res *http.Response) (b *Buffer, err error) {
		b = new(Buffer)
		body := io.Reader(res.Body)
		if res.Header.Get("Content-Encoding") != "" {
			if body, err = gzip.NewReader(res.Body); err != nil {
				return b, err
			}
		}
		b.Bytes, err = read(body)
		return b, err
	}
}

func (s *shelf) readBody(res *http.Response, limit int64) (*Buffer, error) {
	b := s.take()
	switch strings.ToLower(res.Header.Get("Content-Encoding")) {
	case "", "identity":
		if res.ContentLength > limit {
			return b, tooLargeError{limit}
		}
		// The reader wants room after the last byte too, to learn that it was the last.
		if room := int(min(max(res.ContentLength+1, firstRead), OrdinaryBody)); room > cap(b.Bytes) {
			b.Bytes = make([]byte, 0, room+room/8) // full pages differ by a little
		}
		return b, b.fill(res.Body, limit)
	case "gzip", "x-gzip":
		return b, b.unzip(res.Body, limit)
	default:
		return b, errEncoding
	}
}

// unzip appends what the gzip stream r holds, up to limit bytes in all. A stream that was never begun is an empty body.
func (b *Buffer) unzip(r io.Reader, limit int64) error {
	g, _ := gunzips.Get().(*gunzip)
	defer func() {
		g.in.Reset(nil) // let go of the connection
		gunzips.Put(g)
	}()
	g.in.Reset(r)
	if _, err := g.in.Peek(1); err != nil {
		if errors.Is(err, io.EOF) {
			return nil
		}
		return err
	}
	if err := g.z.Reset(g.in); err != nil {
		return err // io.EOF too: the header was begun
	}
	return b.fill(&g.z, limit)
}

// grow doubles the room, but makes all the room there may be at once if doubling would hold too much: while a buffer
// moves, the process has it twice. Room that is not used costs no memory.
func (b *Buffer) grow(limit int64) {
	most := int(limit) + 1 // one byte more tells that a body is too large
	room := min(max(2*len(b.Bytes), firstRead), most)
	if room > 2*keptBuffer {
		room = most
	}
	b.Bytes = append(make([]byte, 0, room), b.Bytes...)
}

// fill appends everything that r has, up to limit bytes in all.
func (b *Buffer) fill(r io.Reader, limit int64) error {
	for {
		if len(b.Bytes) == cap(b.Bytes) {
			b.grow(limit)
		}
		n, err := r.Read(b.Bytes[len(b.Bytes):cap(b.Bytes)])
		b.Bytes = b.Bytes[:len(b.Bytes)+n]
		switch {
		case int64(len(b.Bytes)) > limit:
			return tooLargeError{limit}
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

const (
	// keptBuffer is the largest buffer, in bytes, that is kept for another body: one freak page must not stay in
	// memory for ever.
	keptBuffer = OrdinaryBody + OrdinaryBody/4
	// keptLoose is how many buffers of single bodies are kept.
	keptLoose = 2
)

// A Buffer holds one decoded body. Its memory serves another one once it is released.
type Buffer struct {
	Bytes []byte
	home  *shelf
}

// Release gives the memory back; nothing may look at b after it. It is a no-op on nil.
func (b *Buffer) Release() {
	if b != nil && b.home != nil {
		b.home.put(keptLoose, b)
	}
}

// Release gives many back at once, and has so many of them kept beside those of single bodies.
func Release(keep int, all ...*Buffer) {
	if len(all) > 0 {
		all[0].home.put(keep+keptLoose, all...)
	}
}

// A shelf keeps the buffers that are not in use. A sync.Pool would do, but for its habit of forgetting them at the next
// collection while a backlog is read, which costs a window's worth of memory.
type shelf struct {
	mu   sync.Mutex
	free []*Buffer
}

func (s *shelf) take() *Buffer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.free); n > 0 {
		b := s.free[n-1]
		s.free[n-1] = nil
		s.free = s.free[:n-1]
		return b
	}
	return &Buffer{home: s}
}

// put takes buffers back and keeps so many in all. A batch keeps some times as many as it had pages: a backlog is read in the same
// buffers from one window to the next, and an idle daemon is left with a few.
func (s *shelf) put(keep int, all ...*Buffer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range all {
		if cap(b.Bytes) <= keptBuffer {
			b.Bytes = b.Bytes[:0]
			s.free = append(s.free, b)
		}
	}
	if keep < len(s.free) {
		clear(s.free[keep:])
		s.free = s.free[:keep]
	}
}
