package webhook

import (
	"errors"
	"io"
	"sync"
)

// An attemptBody lends a batch's bytes to one attempt. net/http may go on reading a body after it has returned the answer: a
// receiver that refuses early is the usual case. If the attemptBody did not end, it would then send the next batch's bytes.
type attemptBody struct {
	mu    sync.Mutex
	bytes []byte
	ended bool
}

func (l *attemptBody) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bytes, l.ended = nil, true
}

// body starts a reading from the first byte. net/http takes a second reading if an idle connection turned out dead.
func (l *attemptBody) body() io.ReadCloser { return &attemptReader{attemptBody: l} }

type attemptReader struct {
	attemptBody *attemptBody
	read        int
}

var errAttemptEnded = errors.New("the request is over")

// Read copies under the lock, so that nothing reads the buffer once the attemptBody has ended.
func (r *attemptReader) Read(p []byte) (int, error) {
	r.attemptBody.mu.Lock()
	defer r.attemptBody.mu.Unlock()
	switch {
	case r.attemptBody.ended:
		return 0, errAttemptEnded
	case r.read == len(r.attemptBody.bytes):
		return 0, io.EOF
	}
	n := copy(p, r.attemptBody.bytes[r.read:])
	r.read += n
	return n, nil
}

func (r *attemptReader) Close() error { return nil }
