package dir

import (
	"context"
	"io"
	"io/fs"
	"os"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
)

// Open implements [bucket.Bucket]. The store never writes into an existing file. So an open file keeps its body, even if its
// name goes to another file, or disappears. A disk needs no tail.
func (d *Bucket) Open(ctx context.Context, key string, _ int) (bucket.Object, error) {
	path, err := d.path(ctx, key)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, explainFile("read", path, err)
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = fs.ErrNotExist
	}
	if err != nil {
		_ = f.Close() // the file was only read
		return nil, explainFile("read", path, err)
	}
	return &file{File: f, ctx: ctx, size: info.Size()}, nil
}

// A file is an open object.
type file struct {
	*os.File

	ctx  context.Context //nolint:containedctx // an io.ReaderAt gets none
	size int64
}

func (f *file) Size() int64 { return f.size }

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	if err := f.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := f.File.ReadAt(p, off)
	if err != nil && err != io.EOF { //nolint:errorlint // os returns it unchanged
		err = explainFile("read", f.Name(), err)
	}
	return n, err
}
