package buckettest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
)

func hexDigest(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// stat compares a store's descriptions of objects with their bodies. One of the objects is so large that the store has to write
// it in its slower way.
func stat(t *testing.T, open Store, large int) {
	t.Helper()
	b := open("store")
	for name, body := range map[string][]byte{"empty": {}, "a/small": []byte("one"), "a/large": random(large)} {
		Put(t, b, name, body, "")
		want := bucket.Info{Key: name, Bytes: int64(len(body)), SHA256: hexDigest(body)}
		got, err := b.Stat(t.Context(), name)
		if err != nil {
			t.Errorf("Stat %s: %v", name, err)
		}
		if got.SHA256 == "" { // the store keeps none
			got.SHA256 = want.SHA256
		}
		if got != want {
			t.Errorf("Stat %s: %+v, want %+v", name, got, want)
		}
		if got, err := b.Hash(t.Context(), name); err != nil || got != want {
			t.Errorf("Hash %s: %+v, %v; want %+v", name, got, err, want)
		}
	}
	for _, missing := range []string{"none", "a", "a/small/x"} {
		if got, err := b.Stat(t.Context(), missing); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Stat %s: %+v, %v; want fs.ErrNotExist", missing, got, err)
		}
		if got, err := b.Hash(t.Context(), missing); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Hash %s: %+v, %v; want fs.ErrNotExist", missing, got, err)
		}
	}
}

func walkAll(t *testing.T, open Store) {
	t.Helper()
	b := open("store")
	var all []bucket.Info
	for i := range 25 { // some pages
		key := fmt.Sprintf("many/%d/%d", i/5, i)
		Put(t, b, key, make([]byte, i), "")
		all = append(all, bucket.Info{Key: key, Bytes: int64(i)})
	}
	Put(t, b, "other", []byte("x"), "")
	for prefix, want := range map[string][]bucket.Info{
		"many/": all, "many/3": all[15:20], "none/": nil, "": append(slices.Clone(all), bucket.Info{Key: "other", Bytes: 1}),
	} {
		got, err := walked(t.Context(), b, prefix)
		byKey := func(a, b bucket.Info) int { return strings.Compare(a.Key, b.Key) }
		slices.SortFunc(got, byKey)
		slices.SortFunc(want, byKey)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("Walk %q: %v, (-want +got):\n%s", prefix, err, diff)
		}
	}
	for info, err := range b.Walk(t.Context(), "many/") {
		if err != nil || !strings.HasPrefix(info.Key, "many/") {
			t.Errorf("Walk: %+v, %v", info, err)
		}
		break
	}
}

func walked(ctx context.Context, b bucket.Bucket, prefix string) (infos []bucket.Info, err error) {
	for info, err := range b.Walk(ctx, prefix) {
		if err != nil {
			return infos, err
		}
		infos = append(infos, info)
	}
	return infos, nil
}

// versions checks a store that can tell the versions of objects, whether or not it keeps earlier ones.
func versions(t *testing.T, open Store) {
	t.Helper()
	b := open("store")
	versioned, ok := b.(bucket.Versioned)
	if !ok {
		t.Skip("the store has no versions")
	}
	first := Put(t, b, "a/b", []byte("one"), "")
	Put(t, b, "a/b", []byte("two"), first)
	Put(t, b, "a/c", []byte("three"), "")
	newest := map[string]string{}
	for v, err := range versioned.Versions(t.Context(), "a/") {
		if err != nil {
			t.Fatalf("Versions: %v", err)
		}
		body, err := versioned.GetVersion(t.Context(), v.Key, v.ID)
		if err != nil || int64(len(body)) != v.Bytes || v.Marker || v.Written.IsZero() {
			t.Errorf("version %+v: %q, %v", v, body, err)
		}
		if v.Newest {
			newest[v.Key] = string(body)
		} else if v.Key != "a/b" || !bytes.Equal(body, []byte("one")) {
			t.Errorf("an earlier version %+v: %q", v, body)
		}
	}
	if diff := cmp.Diff(map[string]string{"a/b": "two", "a/c": "three"}, newest); diff != "" {
		t.Errorf("the newest versions (-want +got):\n%s", diff)
	}
	if body, err := versioned.GetVersion(t.Context(), "a/none", ""); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("GetVersion of a missing object: %q, %v; want fs.ErrNotExist", body, err)
	}
}
