package ndjson

import (
	"bytes"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Compression is the compression of lines, in files and in requests. Its value is HTTP's name for it. Zstd takes about as much
// processor time as Gzip does, for 29% fewer bytes.
type Compression string

// The compressions that Houndtrail has.
const (
	Gzip Compression = "gzip"
	Zstd Compression = "zstd"
	None Compression = "none"
)

// A Compressor compresses the bytes that a caller writes to it, until the caller closes it. Reset begins anew, with another
// writer.
type Compressor interface {
	io.WriteCloser
	Reset(w io.Writer)
}

// gzipLevel trades size for time: level 5 takes 1.8 times as long and is 11% smaller. Processor time on the exporter's machine
// is worth more than bytes in the network.
const gzipLevel = 1

// zstdWindow is how far back the compression of zstd looks. Lines repeat the lines shortly before them. A window of 4 MiB would
// make them hardly smaller, and an encoder holds twice its window.
const zstdWindow = 512 << 10

// maxZstdWindow is the largest window that RFC 9659 allows in HTTP. It limits the memory that a reader allocates for a damaged
// file.
const maxZstdWindow = 8 << 20

// Writer returns a compressor. The caller has to reset it before its first use. The same lines give the same bytes.
func (c Compression) Writer() Compressor {
	switch c {
	case Gzip:
		return must(gzip.NewWriterLevel(io.Discard, gzipLevel))
	case Zstd:
		return must(zstd.NewWriter(io.Discard, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(zstdWindow),
			zstd.WithEncoderConcurrency(1))) // so that it starts no goroutines
	default:
		return new(plain)
	}
}

// Dense returns a compressor that makes fewer bytes, and takes several times the processor time. Every reader can read them.
func (c Compression) Dense() Compressor {
	switch c {
	case Gzip:
		return must(gzip.NewWriterLevel(io.Discard, gzip.BestCompression))
	case Zstd:
		return must(zstd.NewWriter(io.Discard, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithWindowSize(maxZstdWindow),
			zstd.WithEncoderConcurrency(1)))
	default:
		return new(plain)
	}
}

// must is for a call that fails only for a level or a window that does not exist.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Reader returns a reader of the bytes that a compressor has written. The caller need not close it.
func (c Compression) Reader(r io.Reader) (io.Reader, error) {
	switch c {
	case Gzip:
		return gzip.NewReader(r)
	case Zstd:
		return zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxZstdWindow))
	default:
		return r, nil
	}
}

// zstdMagic are the first bytes of a file that zstd has compressed.
const zstdMagic = "\x28\xb5\x2f\xfd"

// compressionOf returns the compression of a file. Unless the file is zstd, it returns gzip: if it is neither, the reader of
// gzip refuses its bytes.
func compressionOf(file []byte) Compression {
	if bytes.HasPrefix(file, []byte(zstdMagic)) {
		return Zstd
	}
	return Gzip
}

type plain struct{ io.Writer }

func (p *plain) Reset(w io.Writer) { p.Writer = w }
func (*plain) Close() error        { return nil }
