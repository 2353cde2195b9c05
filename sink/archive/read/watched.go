package read

import (
	"errors"
	"io"
	"sync"
)

// Watched remembers the store's own error, because the reader of a file replaces it by another one.
type Watched struct {
	io.ReaderAt

	mu  sync.Mutex
	err error
}

// ReadAt implements io.ReaderAt.
func (w *Watched) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 { // the file is too short, or one of its parts seems so
		return 0, io.ErrUnexpectedEOF
	}
	n, err := w.ReaderAt.ReadAt(p, off)
	if err != nil && !errors.Is(err, io.EOF) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.err = err
	}
	return n, err
}

// Failed is the error of the store; nil if there was none.
func (w *Watched) Failed() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}
