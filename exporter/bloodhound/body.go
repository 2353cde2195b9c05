package bloodhound

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
	// trustedLength is how much memory a Content-Length is given before a byte of the body has come.
	trustedLength = DefaultMaxPage
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

// What a body can be, besides cut short or damaged.
var (
	errEncoding = errors.New("the body has a content encoding other than gzip, the only one that was asked for")
)

// A tooLargeError is a body that has more bytes than it may have.
type tooLargeError struct{ most int64 }

func (e tooLargeError) Error() string {
	return fmt.Sprintf("the reply is larger than %d bytes", e.most)
}

// A bodyReader reads the body of a 200.
type bodyReader func(*http.Response) (*buffer, error)

// upTo reads and unpacks a body of so many bytes when decoded. What it read before an error comes with the error: the
// beginning of an error page is better than nothing.
func (s *shelf) upTo(limit int64) bodyReader {
	return func(res *http.Response) (*buffer, error) { return s.readBody(res, limit) }
}

// through has an unpacked body of any size read as it comes. What the reader keeps of it is judged in its place.
func through(read func(body io.Reader) (kept []byte, err error)) bodyReader {
	return func(res *http.Response) (b *buffer, err error) {
		b = new(buffer)
		body := io.Reader(res.Body)
		if res.Header.Get("Content-Encoding") != "" {
			if body, err = gzip.NewReader(res.Body); err != nil {
				return b, err
			}
		}
		b.b, err = read(body)
		return b, err
	}
}

func (s *shelf) readBody(res *http.Response, limit int64) (*buffer, error) {
	b := s.take()
	switch strings.ToLower(res.Header.Get("Content-Encoding")) {
	case "", "identity":
		if res.ContentLength > limit {
			return b, tooLargeError{limit}
		}
		// The reader wants room after the last byte too, to learn that it was the last.
		if room := int(min(max(res.ContentLength+1, firstRead), trustedLength)); room > cap(b.b) {
			b.b = make([]byte, 0, room+room/8) // full pages differ by a little
		}
		return b, b.fill(res.Body, limit)
	case "gzip", "x-gzip":
		return b, b.unzip(res.Body, limit)
	default:
		return b, errEncoding
	}
}

// unzip appends what the gzip stream r holds, up to limit bytes in all. A stream that was never begun is an empty body.
func (b *buffer) unzip(r io.Reader, limit int64) error {
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
func (b *buffer) grow(limit int64) {
	most := int(limit) + 1 // one byte more tells that a body is too large
	room := min(max(2*len(b.b), firstRead), most)
	if room > 2*keptBuffer {
		room = most
	}
	b.b = append(make([]byte, 0, room), b.b...)
}

// fill appends everything that r has, up to limit bytes in all.
func (b *buffer) fill(r io.Reader, limit int64) error {
	for {
		if len(b.b) == cap(b.b) {
			b.grow(limit)
		}
		n, err := r.Read(b.b[len(b.b):cap(b.b)])
		b.b = b.b[:len(b.b)+n]
		switch {
		case int64(len(b.b)) > limit:
			return tooLargeError{limit}
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}
