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
	// OrdinaryBody is the most bytes of an ordinary body. A caller that expects a larger one says so. If a Content-Length promises
	// more, the client still allocates only about so much before the first byte of the body has come.
	OrdinaryBody = 8 << 20
	// firstRead is how many bytes of room the client first makes for a body of unknown length: gzip does not tell the length.
	firstRead = 64 << 10
	// packedRead is how many bytes of a compressed body are read at a time.
	packedRead = 16 << 10
)

// gunzips serves every client of the process, so that all of them use the same memory.
//
//nolint:gochecknoglobals // all elements of a pool are alike
var gunzips = sync.Pool{New: func() any { return &gunzip{in: bufio.NewReaderSize(nil, packedRead)} }}

// A gunzip is a decoder with the buffer that it reads from.
type gunzip struct {
	in *bufio.Reader
	z  gzip.Reader
}

var errEncoding = errors.New("the body has a content encoding other than gzip, the only one that was asked for")

// A tooLargeError says that a body has more bytes than allowed.
type tooLargeError struct{ most int64 }

func (e tooLargeError) Error() string {
	return fmt.Sprintf("the reply is larger than %d bytes", e.most)
}

// A BodyReader reads the body of a 200.
type BodyReader func(*http.Response) (*Buffer, error)

// UpTo reads and unpacks a body of up to limit decoded bytes. With an error, it returns the bytes that it has read before: an
// error can then quote the beginning of a page.
func (c *Client) UpTo(limit int64) BodyReader {
	return func(res *http.Response) (*Buffer, error) { return c.shelf.readBody(res, limit) }
}

// Through calls read with an unpacked body of any size, while the body arrives. It keeps some bytes, and the client judges the
// answer by these.
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
		// The reader needs room after the last byte too. Without it, the reader does not notice that this was the last byte.
		if room := int(min(max(res.ContentLength+1, firstRead), OrdinaryBody)); room > cap(b.Bytes) {
			b.Bytes = make([]byte, 0, room+room/8) // full pages differ a little in size, so each gets some room more
		}
		return b, b.fill(res.Body, limit)
	case "gzip", "x-gzip":
		return b, b.unzip(res.Body, limit)
	default:
		return b, errEncoding
	}
}

// unzip appends the content of the gzip stream r, up to a length of limit bytes. A stream without a byte is an empty body.
func (b *Buffer) unzip(r io.Reader, limit int64) error {
	g, _ := gunzips.Get().(*gunzip)
	defer func() {
		g.in.Reset(nil) // so the reader no longer refers to the connection
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
		return err // also io.EOF: the stream ended within its header
	}
	return b.fill(&g.z, limit)
}

// grow doubles the room. A large buffer gets the largest allowed room at once: while a buffer moves, the process holds its
// bytes twice. Unused room costs no memory.
func (b *Buffer) grow(limit int64) {
	most := int(limit) + 1 // one byte more tells that a body is too large
	room := min(max(2*len(b.Bytes), firstRead), most)
	if room > 2*keptBuffer {
		room = most
	}
	b.Bytes = append(make([]byte, 0, room), b.Bytes...)
}

// fill appends everything that r has, up to a length of limit bytes.
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
	// keptBuffer is the largest buffer, in bytes, that a client keeps for another body: one very large page must not stay in
	// memory for ever.
	keptBuffer = OrdinaryBody + OrdinaryBody/4
	// keptLoose is how many buffers for single bodies a client keeps.
	keptLoose = 2
)

// A Buffer holds one decoded body. After Release, another body uses its memory.
type Buffer struct {
	Bytes []byte
	home  *shelf
}

// Release gives the memory back. After that, the caller must not use b. On nil it does nothing.
func (b *Buffer) Release() {
	if b != nil && b.home != nil {
		b.home.put(keptLoose, b)
	}
}

// Release gives several buffers back at once. The client keeps so many of them, besides the buffers for single bodies.
func Release(keep int, all ...*Buffer) {
	if len(all) > 0 {
		all[0].home.put(keep+keptLoose, all...)
	}
}

// A shelf keeps the buffers that are not in use. A sync.Pool would drop them at the next garbage collection, even while the
// client reads a backlog: then it would need the memory of another window.
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

// put takes buffers back. It keeps at most so many in all. A batch keeps several times as many as it had pages. So the client
// reads a backlog in the same buffers from one window to the next, and an idle daemon keeps only a few.
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
