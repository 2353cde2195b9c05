// Package buckettest is the conformance suite of bucket.Bucket: it checks from outside that a store keeps the contract.
package buckettest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"testing"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
)

// Store opens one fresh, empty store. Each call returns a new handle on the folder of that name in the store, as if in another
// process.
type Store func(folder string) bucket.Bucket

// Run checks a store. It opens a new store for every case, and runs all cases in parallel. The size large is in bytes: a store
// has to write such a body in its slower way, for example in parts.
func Run(t *testing.T, large int, open func(t *testing.T) Store) {
	t.Helper()
	for name, check := range map[string]func(*testing.T, Store){
		"missing":       missing,
		"create":        create,
		"replace":       replace,
		"bodies":        func(t *testing.T, s Store) { t.Helper(); bodies(t, s, large) },
		"large races":   func(t *testing.T, s Store) { t.Helper(); race(t, s, 1, large) },
		"small races":   func(t *testing.T, s Store) { t.Helper(); race(t, s, 8, 100) },
		"whole bodies":  wholeBodies,
		"remove":        remove,
		"list":          list,
		"folders":       listFolders,
		"isolation":     isolation,
		"unsafe keys":   unsafeKeys,
		"cancelled":     cancelled,
		"lock":          lock,
		"random walk":   randomWalk,
		"folder or key": folderOrKey,
		"stat":          func(t *testing.T, s Store) { t.Helper(); stat(t, s, large) },
		"walk":          walkAll,
		"parts":         func(t *testing.T, s Store) { t.Helper(); parts(t, s, large) },
		"replaced":      replaced,
		"versions":      versions,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, open(t))
		})
	}
}

func missing(t *testing.T, open Store) {
	t.Helper()
	b := open("store")
	if body, version, age, err := b.Get(t.Context(), "a/b"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Get of a missing object: %q, %q, %s, %v; want fs.ErrNotExist", body, version, age, err)
	}
	if version, err := b.Put(t.Context(), "a/b", []byte("x"), "0123"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("replacing a missing object: %q, %v; want fs.ErrNotExist", version, err)
	}
	wantKeys(t, b, "", "")
	wantKeys(t, b, "a/", "")
}

func create(t *testing.T, open Store) {
	t.Helper()
	b := open("store")
	version := Put(t, b, "a/b/c.json", []byte("one"), "")
	for _, body := range []string{"two", "one"} { // not even the same body may be created twice
		if _, err := b.Put(t.Context(), "a/b/c.json", []byte(body), ""); !errors.Is(err, fs.ErrExist) {
			t.Errorf("creating it again with %q: %v; want fs.ErrExist", body, err)
		}
	}
	wantBody(t, open("store"), "a/b/c.json", []byte("one"), version)
}

func replace(t *testing.T, open Store) {
	t.Helper()
	b := open("store")
	first := Put(t, b, "a/lease.json", []byte("one"), "")
	second := Put(t, open("store"), "a/lease.json", []byte("two"), first)
	if first == second {
		t.Errorf("both versions are %q", first)
	}
	for _, stale := range []string{first, "0123"} {
		if _, err := b.Put(t.Context(), "a/lease.json", []byte("three"), stale); !errors.Is(err, fs.ErrExist) {
			t.Errorf("replacing version %q: %v; want fs.ErrExist", stale, err)
		}
	}
	wantBody(t, b, "a/lease.json", []byte("two"), second)
}

func bodies(t *testing.T, open Store, large int) {
	t.Helper()
	b := open("store")
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	for name, body := range map[string][]byte{
		"empty": {}, "every-byte": every, "large": random(large), "larger": random(large + 12345),
	} {
		version := Put(t, b, name, body, "")
		wantBody(t, b, name, body, version)
		if _, err := b.Put(t.Context(), name, random(large), ""); !errors.Is(err, fs.ErrExist) {
			t.Errorf("creating %s again with a large body: %v; want fs.ErrExist", name, err)
		}
		if _, err := b.Put(t.Context(), name, random(large), "0123"); !errors.Is(err, fs.ErrExist) {
			t.Errorf("replacing a wrong version of %s with a large body: %v; want fs.ErrExist", name, err)
		}
		wantBody(t, b, name, body, version)
		next := random(large)
		wantBody(t, b, name, next, Put(t, b, name, next, version))
	}
	if _, err := b.Put(t.Context(), "none", random(large), "0123"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("replacing a missing object with a large body: %v; want fs.ErrNotExist", err)
	}
	wantKeys(t, b, "", "", "empty", "every-byte", "large", "larger")
}

func list(t *testing.T, open Store) {
	t.Helper()
	b := open("store")
	keys := []string{"a", "a-b/1", "a.c", "b/0", "b/00", "b/1/x", "b/1/y", "b/1-z", "b0", "tenant=x/dt=2026-01-02/t.z"}
	for i := range 25 {
		keys = append(keys, fmt.Sprintf("many/%020d.json", i+1))
	}
	slices.Sort(keys)
	for _, key := range keys {
		Put(t, b, key, []byte(key), "")
	}
	many := keys[slices.Index(keys, "many/00000000000000000001.json"):][:25]
	wantKeys(t, b, "", "", keys...)
	wantKeys(t, b, "many/", "", many...)
	wantKeys(t, b, "many/", many[3], many[4:]...)
	wantKeys(t, b, "many/", "many/00000000000000000004", many[3:]...)
	wantKeys(t, b, "many/", "zzz")
	wantKeys(t, b, "many/0000000000000000001", "", many[9:19]...)
	wantKeys(t, b, "b/1", "", "b/1-z", "b/1/x", "b/1/y")
	wantKeys(t, b, "b/1/", "b/1/x", "b/1/y")
	wantKeys(t, b, "b", "b/00", "b/1-z", "b/1/x", "b/1/y", "b0")
	wantKeys(t, b, "b/", "a", "b/0", "b/00", "b/1-z", "b/1/x", "b/1/y")
	wantKeys(t, b, "tenant=x/dt=2026-01-02", "", "tenant=x/dt=2026-01-02/t.z")
	wantKeys(t, b, "none/", "")
	wantKeys(t, b, "a/", "")
}

// remove deletes more objects at a time than S3 accepts in one request. One of the keys has no object, and another one has
// objects beside it.
func remove(t *testing.T, open Store) {
	t.Helper()
	b := open("store")
	if err := b.Delete(t.Context()); err != nil {
		t.Errorf("Delete of nothing: %v", err)
	}
	if err := b.Delete(t.Context(), "none", "no/such/folder"); err != nil {
		t.Errorf("Delete of missing objects: %v", err)
	}
	Put(t, b, "a/b/keep", []byte("kept"), "")
	var keys []string
	for i := range 1001 {
		keys = append(keys, fmt.Sprintf("a/%d/%04d", i%2, i))
	}
	for _, key := range []string{keys[0], keys[999], keys[1000]} {
		Put(t, b, key, []byte(key), "")
	}
	keys = append(keys, "a/b") // is no object
	if err := open("store").Delete(t.Context(), keys...); err != nil {
		t.Errorf("Delete of %d objects: %v", len(keys), err)
	}
	wantKeys(t, b, "", "", "a/b/keep")
	if _, _, _, err := b.Get(t.Context(), keys[0]); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Get of a deleted object: %v; want fs.ErrNotExist", err)
	}
	if _, err := b.Put(t.Context(), keys[0], []byte("x"), "0123"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("replacing a deleted object: %v; want fs.ErrNotExist", err)
	}
	wantBody(t, b, keys[0], []byte("again"), Put(t, b, keys[0], []byte("again"), ""))
}

// isolation checks that a store in a folder does not see its neighbours, even if their names begin in the same way.
func isolation(t *testing.T, open Store) {
	t.Helper()
	b, longer, shorter := open("store"), open("store2"), open("stor")
	Put(t, b, "k", []byte("b"), "")
	Put(t, longer, "k", []byte("longer"), "")
	Put(t, shorter, "x", []byte("shorter"), "")
	wantKeys(t, b, "", "", "k")
	wantKeys(t, longer, "", "", "k")
	wantKeys(t, shorter, "", "", "x")
	if body, _, _, err := b.Get(t.Context(), "k"); err != nil || string(body) != "b" {
		t.Errorf("Get k: %q, %v; want its own", body, err)
	}
}

func unsafeKeys(t *testing.T, open Store) {
	t.Helper()
	b := open("store")
	for _, key := range []string{
		"", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/..", "./a", ".hidden", "a/.hidden", `a\b`, "a\x00b",
		"a\nb", "a\xffb",
	} {
		if _, _, _, err := b.Get(t.Context(), key); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("Get %q: %v; want fs.ErrInvalid", key, err)
		}
		if _, err := b.Put(t.Context(), key, nil, ""); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("Put %q: %v; want fs.ErrInvalid", key, err)
		}
		if _, err := b.Stat(t.Context(), key); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("Stat %q: %v; want fs.ErrInvalid", key, err)
		}
		if _, err := b.Hash(t.Context(), key); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("Hash %q: %v; want fs.ErrInvalid", key, err)
		}
		if err := b.Delete(t.Context(), "a", key); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("Delete %q: %v; want fs.ErrInvalid", key, err)
		}
		if _, _, err := b.Lock(t.Context(), key); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("Lock %q: %v; want fs.ErrInvalid", key, err)
		}
	}
	for _, prefix := range []string{"/", "../", "a/../", "a//", ".hidden"} {
		if keys, err := b.List(t.Context(), prefix, ""); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("List %q: %q, %v; want fs.ErrInvalid", prefix, keys, err)
		}
		if infos, err := walked(t.Context(), b, prefix); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("Walk %q: %v, %v; want fs.ErrInvalid", prefix, infos, err)
		}
	}
	wantKeys(t, b, "", "")
}

func cancelled(t *testing.T, open Store) {
	t.Helper()
	b := open("store")
	Put(t, b, "a", []byte("one"), "")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, _, getErr := b.Get(ctx, "a")
	_, putErr := b.Put(ctx, "b", []byte("two"), "")
	_, listErr := b.List(ctx, "", "")
	_, statErr := b.Stat(ctx, "a")
	_, hashErr := b.Hash(ctx, "a")
	_, walkErr := walked(ctx, b, "")
	deleteErr := b.Delete(ctx, "a")
	for call, err := range map[string]error{
		"Get": getErr, "Put": putErr, "List": listErr, "Stat": statErr, "Hash": hashErr, "Walk": walkErr, "Delete": deleteErr,
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s with a cancelled context: %v; want context.Canceled", call, err)
		}
	}
	wantKeys(t, b, "", "", "a")
}

func lock(t *testing.T, open Store) {
	t.Helper()
	first, second := open("store"), open("store")
	unlock, locked, err := first.Lock(t.Context(), "stream/lease")
	if err != nil {
		t.Fatalf("Lock: %v", err)
	}
	if locked {
		if _, _, err := second.Lock(t.Context(), "stream/lease"); !errors.Is(err, fs.ErrExist) {
			t.Errorf("a second Lock: %v; want fs.ErrExist", err)
		}
		if other, _, err := second.Lock(t.Context(), "other/lease"); err != nil {
			t.Errorf("Lock of another name: %v", err)
		} else if err := other(); err != nil {
			t.Errorf("unlock of another name: %v", err)
		}
	}
	// The lock is on the name only: both handles can still write the object, and List shows no lock.
	version := Put(t, second, "stream/lease", []byte("mine"), "")
	Put(t, first, "stream/lease", []byte("still mine"), version)
	wantKeys(t, first, "", "", "stream/lease")
	if err := unlock(); err != nil {
		t.Errorf("unlock: %v", err)
	}
	unlock, _, err = second.Lock(t.Context(), "stream/lease")
	if err != nil {
		t.Fatalf("Lock of what was released: %v", err)
	}
	if err := unlock(); err != nil {
		t.Errorf("unlock: %v", err)
	}
}

// folderOrKey checks that an object stays readable if other names begin with its own.
func folderOrKey(t *testing.T, open Store) {
	t.Helper()
	b := open("store")
	Put(t, b, "a/b", []byte("x"), "")
	for _, key := range []string{"a", "a/b/c"} {
		if _, _, _, err := b.Get(t.Context(), key); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Get %s beside a/b: %v; want fs.ErrNotExist", key, err)
		}
	}
}
