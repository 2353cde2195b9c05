package buckettest

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
)

var (
	someKey  = rapid.SampledFrom([]string{"a", "b/c", "b/d", "b-c", "e/f/g.json"})
	someBody = rapid.SampledFrom([]string{"", "one", "two", "three"})
)

// randomWalk compares the store, step by step, with a map.
func randomWalk(t *testing.T, open Store) {
	t.Helper()
	var folders atomic.Int64
	rapid.Check(t, func(rt *rapid.T) {
		w := &walk{
			Bucket: open(fmt.Sprintf("walk%d", folders.Add(1))), t: t,
			bodies: map[string]string{}, versions: map[string]string{},
		}
		rt.Repeat(map[string]func(*rapid.T){"create": w.create, "replace": w.replace, "get": w.get, "list": w.list, "delete": w.remove})
	})
}

// walk is a store and its expected content, by key.
type walk struct {
	bucket.Bucket
	t                *testing.T
	bodies, versions map[string]string
}

func (w *walk) create(rt *rapid.T) {
	key, body := someKey.Draw(rt, "key"), someBody.Draw(rt, "body")
	version, err := w.Put(w.t.Context(), key, []byte(body), "")
	if _, exists := w.bodies[key]; exists {
		if !errors.Is(err, fs.ErrExist) {
			rt.Fatalf("create %s again: %v; want fs.ErrExist", key, err)
		}
		return
	}
	if err != nil {
		rt.Fatal(err)
	}
	w.bodies[key], w.versions[key] = body, version
}

func (w *walk) replace(rt *rapid.T) {
	key, body := someKey.Draw(rt, "key"), someBody.Draw(rt, "body")
	version, known := w.versions[someKey.Draw(rt, "key of the version")]
	if !known {
		version = "0123"
	}
	next, err := w.Put(w.t.Context(), key, []byte(body), version)
	_, exists := w.bodies[key]
	switch {
	case !exists:
		if !errors.Is(err, fs.ErrNotExist) {
			rt.Fatalf("replace %s, which is missing: %v; want fs.ErrNotExist", key, err)
		}
	case version != w.versions[key]:
		if !errors.Is(err, fs.ErrExist) {
			rt.Fatalf("replace %s, another version: %v; want fs.ErrExist", key, err)
		}
	case err != nil:
		rt.Fatal(err)
	default:
		w.bodies[key], w.versions[key] = body, next
	}
}

func (w *walk) get(rt *rapid.T) {
	key := someKey.Draw(rt, "key")
	body, version, _, err := w.Get(w.t.Context(), key)
	want, exists := w.bodies[key]
	if !exists {
		if !errors.Is(err, fs.ErrNotExist) {
			rt.Fatalf("get %s, which is missing: %v; want fs.ErrNotExist", key, err)
		}
	} else if err != nil || string(body) != want || version != w.versions[key] {
		rt.Fatalf("get %s: %q, version %q, %v; want %q, %q", key, body, version, err, want, w.versions[key])
	}
}

func (w *walk) remove(rt *rapid.T) {
	keys := rapid.SliceOfNDistinct(someKey, 1, 3, rapid.ID).Draw(rt, "keys")
	if err := w.Delete(w.t.Context(), keys...); err != nil {
		rt.Fatal(err)
	}
	for _, key := range keys {
		delete(w.bodies, key)
		delete(w.versions, key)
	}
}

func (w *walk) list(rt *rapid.T) {
	prefix := rapid.SampledFrom([]string{"", "b", "b/", "e/f", "x/"}).Draw(rt, "prefix")
	after := rapid.SampledFrom([]string{"", "a", "b-c", "b/c", "zz"}).Draw(rt, "after")
	var want []string
	for key := range w.bodies {
		if strings.HasPrefix(key, prefix) && key > after {
			want = append(want, key)
		}
	}
	slices.Sort(want)
	if got, err := w.List(w.t.Context(), prefix, after); err != nil || !slices.Equal(got, want) {
		rt.Fatalf("list %q after %q: %q, %v; want %q", prefix, after, got, err, want)
	}
}

// listFolders: only folders come, each once, and only those right below the asked one. A key that begins with the same letters is
// none.
func listFolders(t *testing.T, open Store) {
	t.Helper()
	b := open("store")
	other := open("store-2")
	for _, key := range []string{"acme/archive/state/run.json", "acme/archive/0/1.json", "acme/x.json", "acme-2/webhook/1", "root.json"} {
		for _, b := range []bucket.Bucket{b, other} {
			if _, err := b.Put(t.Context(), key, []byte("x"), ""); err != nil {
				t.Fatal(err)
			}
		}
	}
	for folder, want := range map[string][]string{
		"": {"acme", "acme-2"}, "acme/": {"archive"}, "acme/archive/": {"0", "state"}, "acme/archive/0/": nil, "none/": nil,
	} {
		got, err := b.Folders(t.Context(), folder)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("folders of %q: %v, %v; want %v", folder, got, err, want)
		}
	}
	for _, folder := range []string{"acme", "/", "../", ".x/", "a//"} {
		if got, err := b.Folders(t.Context(), folder); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("folders of %q: %v, %v; want fs.ErrInvalid", folder, got, err)
		}
	}
}
