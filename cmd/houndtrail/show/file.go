package show

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// A File is written as a whole or not at all: until Commit, the file with that name stays as it was.
type File struct {
	path string
	temp *os.File
}

// NewFile begins a file. So if the path cannot be written, the user learns it at once. Only the user may read it.
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

// Commit writes the file to the disk, and then gives it its name. If the program crashes before that, the earlier file stays.
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

// Abort leaves the earlier file as it was. After Commit it does nothing.
func (f *File) Abort() {
	_ = f.temp.Close()
	_ = os.Remove(f.temp.Name()) // after Commit there is no file with that name
}
