// Package bucket is the contract of a store: durable storage of whole objects, as journals and archives need it. Each kind
// of store is a package of its own below this one, and package open picks one by a URL.
//
// Every store makes these promises, and package buckettest checks each store:
//
//   - A Put that returned survives a crash of either side. Readers see the old body or the new one, never a part.
//   - Creating is exclusive, and so is replacing a version: of many writers, in one process or in many, one wins.
//     The others get fs.ErrExist.
//   - A Put that the store carried out, but whose answer was lost, counts as success. The proof is the object itself,
//     read back and compared: bodies that different writers could write at once should name their writer.
//   - A Delete takes objects away, also from a reader who lists them, and nothing else: what a store keeps of them by itself,
//     such as earlier versions or locked ones, it keeps. A Delete that returned survives a crash of either side.
//   - A version is a digest of the body (the SHA-256, or S3's ETag). A body that changes and changes back is the same
//     version again.
//   - A SHA-256 that the store tells is that of the whole body. If the store keeps none, or only one of the parts, it tells none.
//   - Temporary failures are retried inside. An error is final for now, names the object, says what to do, and never shows
//     a secret. The errors that a caller decides by are those of io/fs: fs.ErrNotExist, fs.ErrExist, and fs.ErrInvalid for
//     a key or prefix that [CheckKey] or [CheckPrefix] refuses.
package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"strings"
	"time"

	"go.uber.org/zap"
)

// Reader is the part of a [Bucket] that changes nothing. All calls are safe for concurrent use.
type Reader interface {
	// Get returns the object's body, which fits into memory, its version, and how long ago it was written, by the store's
	// own clock. A missing object is fs.ErrNotExist.
	Get(ctx context.Context, key string) (body []byte, version string, age time.Duration, err error)
	// List returns, in ascending order of bytes, the keys that begin with prefix and sort after the key after. A list may
	// lack an object that was written a moment ago; Get finds it.
	List(ctx context.Context, prefix, after string) ([]string, error)
	// String is the store's URL, for people: s3://bucket/prefix or file:///dir.
	String() string
}

// Inspector is a Reader that also describes objects without handing out their bodies.
type Inspector interface {
	Reader
	// Stat describes the object and reads no byte of it. A missing object is fs.ErrNotExist.
	Stat(ctx context.Context, key string) (Info, error)
	// Hash is Stat that reads the whole body to tell its size and SHA-256, and holds only a piece of it at a time. If the body
	// is not the one that the store's own checksum is of, the error is [ErrDamaged].
	Hash(ctx context.Context, key string) (Info, error)
	// Walk describes the objects whose keys begin with prefix, in the store's own order and without their SHA-256, and holds
	// only some of them at a time. An error ends it. Like a List, it may lack an object that was written a moment ago.
	Walk(ctx context.Context, prefix string) iter.Seq2[Info, error]
}

// Opener is a Reader that also reads parts of objects.
type Opener interface {
	Reader
	// Open opens an object, and reads up to tail bytes at its end, all in one request. A missing object is fs.ErrNotExist. ctx is
	// for reading the object as well.
	Open(ctx context.Context, key string, tail int) (Object, error)
}

// Object is an open object. Every part that it reads is of the body that was there when it was opened. If that body is gone by now,
// the error is fs.ErrNotExist, and if another one has its place, fs.ErrExist. A part is read with one request, unless it lies in the
// tail. It is not compared with the store's checksum, which is of the whole body. All calls are safe for concurrent use.
type Object interface {
	io.ReaderAt
	io.Closer
	// Size is the size of the whole body.
	Size() int64
}

// Info describes an object.
type Info struct {
	Key    string
	Bytes  int64
	SHA256 string // of the whole body, in lower-case hex; "" if it is not known
	// Version tells that the store keeps versions of the object: a Delete hides the body and does not remove it. Only Stat tells
	// this and what follows.
	Version bool
	Lock    Lock // that keeps the version from being removed; zero if there is none, or the caller may not see it
}

// A Lock keeps a version of an object from being removed.
type Lock struct {
	Mode  string    // GOVERNANCE or COMPLIANCE
	Until time.Time // when it ends
	Hold  bool      // a legal hold, which has no end
}

// Holds tells whether the lock still holds at a time.
func (l Lock) Holds(at time.Time) bool { return l.Hold || l.Until.After(at) }

// ErrDamaged says that a body is not the one of which the store itself keeps a checksum: a disk or a person changed it below the
// store.
var ErrDamaged = errors.New("the body is not the one of the store's own checksum")

// Versioned is a store that keeps the earlier versions of objects. If a store keeps none, or the caller may not see them, the
// error of both calls is errors.ErrUnsupported.
type Versioned interface {
	// Versions returns every version and every delete marker of the keys that begin with prefix, in no order. An error ends it.
	Versions(ctx context.Context, prefix string) iter.Seq2[Version, error]
	// GetVersion returns the body of one version. A missing one is fs.ErrNotExist.
	GetVersion(ctx context.Context, key, id string) ([]byte, error)
}

// Version is a version of an object, or a delete marker, which hides the older versions.
type Version struct {
	Key     string
	ID      string // "" if it was written while the store kept no versions
	Newest  bool   // it is the one that Get finds or, if it is a marker, because of which Get finds none
	Marker  bool
	Bytes   int64
	Written time.Time // by the store's clock
}

// Bucket is a store of objects. All calls are safe for concurrent use.
type Bucket interface {
	Inspector
	Opener
	// Put writes the object and returns its new version. With version "" it creates the object: fs.ErrExist says that
	// there is one already. Else it replaces exactly that version: fs.ErrExist says that there is another by now,
	// fs.ErrNotExist that there is none.
	Put(ctx context.Context, key string, body []byte, version string) (string, error)
	// Delete takes the objects away; a key without an object is no error. It asks the store once for a thousand keys. A store
	// with versions hides an object behind a delete marker, and keeps every version. After an error, any of the objects may be
	// gone. A later Put can create an object of that key again.
	Delete(ctx context.Context, keys ...string) error
	// Lock takes a lock that dies with the process. If the store has no such lock, locked is false and unlock does nothing.
	// fs.ErrExist says that another process holds it. It locks the name only: the object of that key can still be written.
	Lock(ctx context.Context, key string) (unlock func() error, locked bool, err error)
}

// Options are the options of every kind of store. A store ignores an option that does not apply to it. The zero value of each
// field is the default.
type Options struct {
	// Rewritten names the keys that are working state, such as a lease: they get no retention, which would keep each
	// of their many versions, and no storage class. By default there are none.
	Rewritten func(key string) bool

	Idle time.Duration // how long no byte of a body may move; default 30s
	// Interactive is for a command whose user waits: if an endpoint is down, the store reports that at once.
	Interactive bool
	Log         *zap.Logger // gets a warning for each attempt that fails or body that is slow; nil is silent
}

// CheckKey refuses a key that is not the name of an object below the store's root. Keys are slash-separated and relative to the
// root. If a key could leave the root, or a part of it begins with a dot, the error is fs.ErrInvalid. A directory keeps names
// with a dot for itself.
func CheckKey(key string) error {
	if !fs.ValidPath(key) || strings.HasPrefix(key, ".") || strings.Contains(key, "/.") ||
		strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r == '\\' || r == 0x7f }) {
		return fmt.Errorf("unsafe object key %q: %w: keys are relative paths without empty or dotted parts",
			key, fs.ErrInvalid)
	}
	return nil
}

// CheckPrefix refuses a prefix that no key can have. It may end anywhere in a key, also after a slash.
func CheckPrefix(prefix string) error {
	if prefix == "" {
		return nil
	}
	return CheckKey(strings.TrimSuffix(prefix, "/"))
}
