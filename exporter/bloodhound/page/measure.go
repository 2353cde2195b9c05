package page

import (
	"bytes"
	"crypto/sha256"
	"io"
	"time"
)

// A Stub holds the facts that Houndtrail knows of a record that is too large to keep.
type Stub struct {
	Count     int64 // the server's count; -1 if it tells none
	ID        int64
	CreatedAt time.Time
	Size      int64
	Sum       [sha256.Size]byte // the hash of its bytes as the server sent them
}

// headSize is how many bytes of a page Measure searches for the id and time of the record.
const headSize = 64 << 10

// Measure reads a page with one record. It keeps only the beginning and the end of the page.
func Measure(body io.Reader) (found Stub, kept []byte, err error) {
	head, err := io.ReadAll(io.LimitReader(body, headSize))
	if err != nil {
		return found, head, err
	}
	found, start := readHead(head)
	rest := tail{sum: sha256.New()}
	_, _ = rest.Write(head[start:])
	n, err := io.Copy(&rest, body)
	if err != nil {
		return found, head, err
	}
	if !bytes.HasSuffix(bytes.TrimRight(rest.held, space), endOfLogs) {
		return found, head, io.ErrUnexpectedEOF // a proxy cut the page, and then closed the body as if it were complete
	}
	if n > 0 {
		head = append(head, rest.held...)
	}
	found.Size, found.Sum = rest.end()
	return found, head, nil
}

// readHead finds the id and time of the first record of a page, and the offset at which the record begins.
func readHead(head []byte) (found Stub, start int) {
	s := &scanner{buf: head}
	found.Count = -1
	var seen keys
	_ = s.object(func(key []byte) error { // these bytes end in the middle of a record, so the scan ends with an error
		switch string(key) {
		case "data":
		case "count":
			return s.integer(&found.Count)
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
					return s.id(&found.ID, &seen)
				case "created_at":
					return s.createdAt(&found.CreatedAt, &seen)
				default:
					_, err := s.value()
					return err
				}
			})
		})
	})
	return found, start
}

// A digest is a hash in progress.
type digest interface {
	io.Writer
	Sum(onto []byte) []byte
}

// A tail hashes a record as it comes. It leaves out the end of the page, which follows the record.
type tail struct {
	sum  digest
	size int64
	held []byte // the last bytes so far, which may belong to the page's end
}

// pageEnd is a number of bytes that is larger than the end of every page.
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
	t.take(bytes.TrimSuffix(bytes.TrimRight(t.held, space), endOfLogs))
	return t.size, [sha256.Size]byte(t.sum.Sum(nil))
}
