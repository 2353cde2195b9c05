package webhook

import (
	"errors"
	"io"
	"sync"
)

// An attemptBody lends the bytes of a batch to one attempt. net/http may still read a body after it has returned the answer: this
// is usual if a receiver refuses early. If the attemptBody did not end, net/http would then send the bytes of the next batch.
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

// body starts to read from the first byte. net/http reads a second time if it finds that an idle connection is dead.
func (l *attemptBody) body() io.ReadCloser { return &attemptReader{attemptBody: l} }

type attemptReader struct {
	attemptBody *attemptBody
	read        int
}

var errAttemptEnded = errors.New("the request is over")

// Read copies under the lock, so it does not read the buffer after the attemptBody has ended.
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
