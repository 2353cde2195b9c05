package webhook

import (
	"errors"
	"io"
	"sync"
)

// A loan lends a batch's bytes to one attempt. net/http may go on reading a body after it has returned the answer: a
// receiver that refuses early is the usual case. Without the end of the loan it would then send the next batch's bytes.
type loan struct {
	mu    sync.Mutex
	bytes []byte
	ended bool
}

func (l *loan) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bytes, l.ended = nil, true
}

// body starts a reading from the first byte. net/http takes a second reading if an idle connection turned out dead.
func (l *loan) body() io.ReadCloser { return &loanReader{loan: l} }

type loanReader struct {
	loan *loan
	read int
}

var errLoanEnded = errors.New("the request is over")

// Read copies under the lock, so that net/http does not read the buffer after the end of the loan.
func (r *loanReader) Read(p []byte) (int, error) {
	r.loan.mu.Lock()
	defer r.loan.mu.Unlock()
	switch {
	case r.loan.ended:
		return 0, errLoanEnded
	case r.read == len(r.loan.bytes):
		return 0, io.EOF
	}
	n := copy(p, r.loan.bytes[r.read:])
	r.read += n
	return n, nil
}

func (r *loanReader) Close() error { return nil }
