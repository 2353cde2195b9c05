package buckettest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"testing"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
)

// parts compares parts of objects with the whole bodies. One of the objects is so large that the store has to write it in its
// slower way.
func parts(t *testing.T, open Store, large int) {
	t.Helper()
	b := open("store")
	for name, body := range map[string][]byte{"empty": {}, "a/small": []byte("one"), "a/large": random(large)} {
		Put(t, b, name, body, "")
		for _, tail := range []int{0, 2, 100, len(body)} {
			o, err := b.Open(t.Context(), name, tail)
			if err != nil {
				t.Errorf("Open %s: %v", name, err)
				continue
			}
			wantParts(t, o, body)
			if err := o.Close(); err != nil {
				t.Errorf("Close %s: %v", name, err)
			}
		}
	}
	for _, missing := range []string{"none", "a", "a/small/x"} {
		if o, err := b.Open(t.Context(), missing, 10); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Open %s: %v, %v; want fs.ErrNotExist", missing, o, err)
		}
	}
	if o, err := b.Open(t.Context(), "../x", 10); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("Open of an unsafe key: %v, %v; want fs.ErrInvalid", o, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if o, err := b.Open(ctx, "a/small", 10); !errors.Is(err, context.Canceled) {
		t.Errorf("Open, cancelled: %v, %v", o, err)
	}
}

func wantParts(t *testing.T, o bucket.Object, body []byte) {
	t.Helper()
	if o.Size() != int64(len(body)) {
		t.Errorf("the size of %d bytes is %d", len(body), o.Size())
	}
	n := len(body)
	for _, part := range [][2]int{{0, n}, {0, 1}, {n / 2, 1}, {n / 2, n}, {max(n-2, 0), 2}, {max(n-101, 0), 50}, {n, 1}, {n + 5, 1}} {
		off, length := part[0], part[1]
		if length == 0 {
			continue
		}
		want := body[min(off, n):min(off+length, n)]
		got := make([]byte, length)
		read, err := o.ReadAt(got, int64(off))
		if !bytes.Equal(got[:read], want) || (err == nil) != (read == length) || err != nil && !errors.Is(err, io.EOF) {
			t.Errorf("ReadAt %d of %d bytes from %d: %d bytes, %v; want %d", length, n, off, read, err, len(want))
		}
	}
}

// replaced checks that no open object mixes two bodies.
func replaced(t *testing.T, open Store) {
	t.Helper()
	b := open("store")
	first, second := bytes.Repeat([]byte("1"), 1000), bytes.Repeat([]byte("2"), 1000)
	version := Put(t, b, "a/b", first, "")
	o, err := b.Open(t.Context(), "a/b", 10)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	part := make([]byte, 500)
	read := func(gone error) {
		t.Helper()
		switch n, err := o.ReadAt(part, 100); {
		case err == nil && !bytes.Equal(part, first[:500]):
			t.Errorf("a part of another body: %.20q", part[:n])
		case err != nil && !errors.Is(err, gone):
			t.Errorf("ReadAt: %v; want the body that was opened, or %v", err, gone)
		}
	}
	Put(t, b, "a/b", second, version)
	read(fs.ErrExist)
	if err := b.Delete(t.Context(), "a/b"); err != nil {
		t.Fatal(err)
	}
	read(fs.ErrNotExist)
}
