package buckettest

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"
)

// randomWalk compares the store, step by step, with a map.
func randomWalk(t *testing.T, open Store) {
	keys := rapid.SampledFrom([]string{"a", "b/c", "b/d", "b-c", "e/f/g.json"})
	bodies := rapid.SampledFrom([]string{"", "one", "two", "three"})
	var folders atomic.Int64
	rapid.Check(t, func(rt *rapid.T) {
		b := open(fmt.Sprintf("walk%d", folders.Add(1)))
		model, versions := map[string]string{}, map[string]string{}
		rt.Repeat(map[string]func(*rapid.T){
			"create": func(rt *rapid.T) {
				key, body := keys.Draw(rt, "key"), bodies.Draw(rt, "body")
				version, err := b.Put(t.Context(), key, []byte(body), "")
				if _, exists := model[key]; exists {
					if !errors.Is(err, fs.ErrExist) {
						rt.Fatalf("create %s again: %v; want fs.ErrExist", key, err)
					}
					return
				}
				if err != nil {
					rt.Fatal(err)
				}
				model[key], versions[key] = body, version
			},
			"replace": func(rt *rapid.T) {
				key, body := keys.Draw(rt, "key"), bodies.Draw(rt, "body")
				version := versions[keys.Draw(rt, "key of version")]
				if version == "" {
					version = "0123"
				}
				got, err := b.Put(t.Context(), key, []byte(body), version)
				_, exists := model[key]
				switch {
				case !exists:
					if !errors.Is(err, fs.ErrNotExist) {
						rt.Fatalf("replace %s, which is missing: %v; want fs.ErrNotExist", key, err)
					}
				case version != versions[key]:
					if !errors.Is(err, fs.ErrExist) {
						rt.Fatalf("replace %s, another version: %v; want fs.ErrExist", key, err)
					}
				case err != nil:
					rt.Fatal(err)
				default:
					model[key], versions[key] = body, got
				}
			},
			"get": func(rt *rapid.T) {
				key := keys.Draw(rt, "key")
				body, version, _, err := b.Get(t.Context(), key)
				want, exists := model[key]
				if !exists {
					if !errors.Is(err, fs.ErrNotExist) {
						rt.Fatalf("get %s, which is missing: %v; want fs.ErrNotExist", key, err)
					}
				} else if err != nil || !bytes.Equal(body, []byte(want)) || version != versions[key] {
					rt.Fatalf("get %s: %q, version %q, %v; want %q, %q", key, body, version, err, want, versions[key])
				}
			},
			"list": func(rt *rapid.T) {
				prefix := rapid.SampledFrom([]string{"", "b", "b/", "e/f", "x/"}).Draw(rt, "prefix")
				after := rapid.SampledFrom([]string{"", "a", "b-c", "b/c", "zz"}).Draw(rt, "after")
				var want []string
				for key := range model {
					if strings.HasPrefix(key, prefix) && key > after {
						want = append(want, key)
					}
				}
				slices.Sort(want)
				if got, err := b.List(t.Context(), prefix, after); err != nil || !slices.Equal(got, want) {
					rt.Fatalf("list %q after %q: %q, %v; want %q", prefix, after, got, err, want)
				}
			},
		})
	})
}
