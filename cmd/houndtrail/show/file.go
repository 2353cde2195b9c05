package show

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// A File is written whole or not at all: until Commit, the file of that name is as it was.
type File struct {
	path string
	temp *os.File
}

// NewFile begins a file, so that a path that cannot be written shows at once. The user alone may read it.
func NewFile(path string) (*File, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no file: name a file that may be written", path)
	}
	temp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return nil, fmt.Errorf("%w; name a file in a folder that is there and can be written", err)
	}
	return &File{path, temp}, nil
}

// Commit writes the file, and gives it its name after its bytes are on the disk. A crash before that leaves the earlier file.
func (f *File) Commit(write func(io.Writer) error) error {
	err := write(f.temp)
	if err == nil {
		err = f.temp.Sync()
	}
	if err = errors.Join(err, f.temp.Close()); err == nil {
		err = os.Rename(f.temp.Name(), f.path)
	}
	if err != nil {
		return fmt.Errorf("%s is not written: %w", f.path, err)
	}
	return nil
}

// Abort leaves the file as it was, unless it was committed.
func (f *File) Abort() {
	_ = f.temp.Close()
	_ = os.Remove(f.temp.Name()) // after Commit there is none of that name
}
