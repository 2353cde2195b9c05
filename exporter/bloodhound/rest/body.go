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
	// OrdinaryBody is the bound of a body, in bytes, except for a rare one that a caller expects. On the word of a Content-Length
	// the client allocates at most about that much before a byte of the body has come.
	OrdinaryBody = 8 << 20
	// firstRead is the first room for a body of unknown length: gzip does not say how long the body is.
	firstRead = 64 << 10
	// packedRead is how many bytes of a compressed body are read at a time.
	packedRead = 16 << 10
)

// gunzips serves every client of the process, since it spares the memory of the process.
//
//nolint:gochecknoglobals // pools hold nothing that can be told apart
var gunzips = sync.Pool{New: func() any { return &gunzip{in: bufio.NewReaderSize(nil, packedRead)} }}

// A gunzip is a decoder with the buffer that it reads from.
type gunzip struct {
	in *bufio.Reader
	z  gzip.Reader
}

var errEncoding = errors.New("the body has a content encoding other than gzip, the only one that was asked for")

// A tooLargeError says that a body has more bytes than its bound.
type tooLargeError struct{ most int64 }

func (e tooLargeError) Error() string {
	return fmt.Sprintf("the reply is larger than %d bytes", e.most)
}

// A BodyReader reads the body of a 200.
type BodyReader func(*http.Response) (*Buffer, error)

// UpTo reads and unpacks a body of up to limit decoded bytes. With an error it returns the bytes that it read before: the
// beginning of an error page is better than nothing.
func (c *Client) UpTo(limit int64) BodyReader {
	return func(res *http.Response) (*Buffer, error) { return c.shelf.readBody(res, limit) }
}

// Through calls read with an unpacked body of any size, as the body comes. The client judges the kept bytes in place of the body.
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
		// The reader needs room after the last byte too, to learn that it was the last.
		if room := int(min(max(res.ContentLength+1, firstRead), OrdinaryBody)); room > cap(b.Bytes) {
			b.Bytes = make([]byte, 0, room+room/8) // full pages differ a little in size
		}
		return b, b.fill(res.Body, limit)
	case "gzip", "x-gzip":
		return b, b.unzip(res.Body, limit)
	default:
		return b, errEncoding
	}
}

// unzip appends the content of the gzip stream r, up to limit bytes in all. A stream without a byte is an empty body.
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
		return err // io.EOF too: the stream has a part of its header
	}
	return b.fill(&g.z, limit)
}

// grow doubles the room. From a certain size on it makes the largest allowed room at once: while a buffer moves, the process has
// it twice. Unused room costs no memory.
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
	// keptBuffer is the largest buffer, in bytes, that a client keeps for another body: one freak page must not stay in
	// memory for ever.
	keptBuffer = OrdinaryBody + OrdinaryBody/4
	// keptLoose is how many buffers of single bodies a client keeps.
	keptLoose = 2
)

// A Buffer holds one decoded body. After Release its memory serves another one.
type Buffer struct {
	Bytes []byte
	home  *shelf
}

// Release gives the memory back. After it the caller must not use b. On nil it does nothing.
func (b *Buffer) Release() {
	if b != nil && b.home != nil {
		b.home.put(keptLoose, b)
	}
}

// Release gives many buffers back at once. The client keeps so many of them beside those of single bodies.
func Release(keep int, all ...*Buffer) {
	if len(all) > 0 {
		all[0].home.put(keep+keptLoose, all...)
	}
}

// A shelf keeps the buffers that are not in use. A sync.Pool would forget them at the next garbage collection, while the client
// reads a backlog: that would cost the memory of a window.
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

// put takes buffers back and keeps so many in all. A batch keeps several times as many as it had pages. So the client reads a
// backlog in the same buffers from one window to the next, and an idle daemon keeps only a few.
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
