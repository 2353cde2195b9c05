package buckettest

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"testing"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
)

// race makes writers with two handles create one object, and then replace one version of it: each time exactly one of them must
// win.
func race(t *testing.T, open Store, rounds, size int) {
	t.Helper()
	const writers = 8
	handles := []bucket.Bucket{open("store"), open("store")}
	for round := range rounds {
		key, version := fmt.Sprintf("races/%d", round), ""
		for _, step := range []string{"create", "replace"} {
			bodies, versions, errs := make([][]byte, writers), make([]string, writers), make([]error, writers)
			var all sync.WaitGroup
			start := make(chan struct{})
			for i := range writers {
				bodies[i] = random(size)
				all.Go(func() {
					<-start
					versions[i], errs[i] = handles[i%2].Put(t.Context(), key, bodies[i], version)
				})
			}
			close(start)
			all.Wait()
			won := []int{}
			for i, err := range errs {
				if err == nil {
					won = append(won, i)
				} else if !errors.Is(err, fs.ErrExist) {
					t.Errorf("%s %s: a loser got %v; want fs.ErrExist", step, key, err)
				}
			}
			if len(won) != 1 {
				t.Fatalf("%s %s: writers %v won; want exactly one", step, key, won)
			}
			version = versions[won[0]]
			wantBody(t, handles[0], key, bodies[won[0]], version)
		}
	}
}

// wholeBodies reads an object while another handle replaces it. Each body that it reads must be one that was written, as a
// whole.
func wholeBodies(t *testing.T, open Store) {
	t.Helper()
	const size, writes = 1 << 16, 20
	writer, reader := open("store"), open("store")
	version := Put(t, writer, "a/b", bytes.Repeat([]byte{'0'}, size), "")
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range writes {
			var err error
			if version, err = writer.Put(t.Context(), "a/b", bytes.Repeat([]byte{byte('a' + i)}, size), version); err != nil {
				t.Errorf("replace: %v", err)
				return
			}
		}
	}()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		body, _, _, err := reader.Get(t.Context(), "a/b")
		if err != nil {
			t.Errorf("Get during a replace: %v", err)
		} else if len(body) != size || bytes.Count(body, body[:1]) != size {
			t.Errorf("Get saw a part of a body: %d bytes, %d of them the first", len(body), bytes.Count(body, body[:1]))
		}
		if t.Failed() {
			<-done
			return
		}
	}
}
