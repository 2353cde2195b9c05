// Package bucket is the contract of a store: durable storage of whole objects, as journals and archives need it. Each kind of
// store is a package below this one. Package open chooses one by a URL.
//
// Every store makes these promises, and package buckettest checks each store:
//
//   - When a Put has returned, its object survives a crash of Houndtrail or of the store. A reader sees the old body or the new
//     one, never a part of it.
//   - Only one writer can create an object, and only one can replace a version, even if there are many writers in many
//     processes. The others get fs.ErrExist.
//   - The store may carry out a Put, and its answer may be lost. Such a Put counts as success. Put proves it with the object
//     itself: it reads the object back, and compares. So if different writers could write at the same time, their bodies should
//     name the writer.
//   - A Delete removes objects, also from the lists that readers get, and changes nothing else. If the store itself keeps
//     something of them, such as earlier versions or locked ones, the store still keeps it. When a Delete has returned, its
//     effect survives a crash of Houndtrail or of the store.
//   - A version is a digest of the body (the SHA-256, or S3's ETag). If a body changes and changes back, its version is the old
//     one again.
//   - If a store tells a SHA-256, it is the one of the whole body. If the store has none, or only those of the parts, it tells
//     none.
//   - The store itself retries temporary failures. An error is final for now. It names the object, says what to do, and never
//     shows a secret. A caller decides by the errors of io/fs: fs.ErrNotExist, fs.ErrExist, and fs.ErrInvalid for a key or
//     prefix that [CheckKey] or [CheckPrefix] refuses.
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
	// Get returns the object's body, its version, and its age by the store's own clock. The body has to fit into memory. A missing
	// object is fs.ErrNotExist.
	Get(ctx context.Context, key string) (body []byte, version string, age time.Duration, err error)
	// List returns, in ascending order of bytes, the keys that begin with prefix and sort after the key after. A list may lack an
	// object that was written just before; Get finds it.
	List(ctx context.Context, prefix, after string) ([]string, error)
	// Folders returns, in ascending order of bytes, the first parts of the keys below a folder that have more than one part. A folder
	// is "" for the root, or a prefix that ends with a slash. It takes one request for a thousand names, however many keys there are.
	Folders(ctx context.Context, folder string) ([]string, error)
	// String is the store's URL, for people: s3://bucket/prefix or file:///dir.
	String() string
}

// Inspector is a Reader that also describes objects without their bodies.
type Inspector interface {
	Reader
	// Stat describes the object. It does not read the body. A missing object is fs.ErrNotExist.
	Stat(ctx context.Context, key string) (Info, error)
	// Hash is like Stat, but reads the whole body to tell its size and SHA-256. It holds only a piece of the body at a time. If
	// the store keeps a checksum, and the body does not fit it, the error is [ErrDamaged].
	Hash(ctx context.Context, key string) (Info, error)
	// Walk describes the objects whose keys begin with prefix. They come in the store's own order and without their SHA-256. Walk
	// holds only some of them at a time. An error ends it. Like a List, it may lack an object that was written just before.
	Walk(ctx context.Context, prefix string) iter.Seq2[Info, error]
}

// Opener is a Reader that also reads parts of objects.
type Opener interface {
	Reader
	// Open opens an object, and reads up to tail bytes at its end, all in one request. A missing object is fs.ErrNotExist. ctx is
	// for reading the object as well.
	Open(ctx context.Context, key string, tail int) (Object, error)
}

// Object is an open object. All parts that it reads are of the body that the object had when it was opened. If that body is
// gone, the error is fs.ErrNotExist. If another body has replaced it, the error is fs.ErrExist. A part is read with one
// request, unless it lies in the tail. The store's checksum is the one of the whole body, so nothing compares it with a part.
// All calls are safe for concurrent use.
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
	// Version tells that the store keeps versions of the object: then a Delete hides the body, but does not remove it. Only Stat
	// sets this field and the next one.
	Version bool
	Lock    Lock // the lock on the version; zero if there is none, or the caller may not see it
}

// A Lock keeps a version of an object from being removed.
type Lock struct {
	Mode  string    // GOVERNANCE or COMPLIANCE
	Until time.Time // when it ends
	Hold  bool      // a legal hold, which has no end
}

// Holds tells whether the lock still holds at a time.
func (l Lock) Holds(at time.Time) bool { return l.Hold || l.Until.After(at) }

// ErrDamaged says that a body does not fit the checksum that the store itself keeps: a disk or a person changed the body inside
// the store.
var ErrDamaged = errors.New("the body is not the one of the store's own checksum")

// Versioned is a store that keeps the earlier versions of objects. If a store keeps none, or the caller may not see them, the
// error of both calls is errors.ErrUnsupported.
type Versioned interface {
	// Versions returns every version and every delete marker of the keys that begin with prefix, in no order. An error ends it.
	Versions(ctx context.Context, prefix string) iter.Seq2[Version, error]
	// GetVersion returns the body of one version. A missing one is fs.ErrNotExist.
	GetVersion(ctx context.Context, key, id string) ([]byte, error)
}

// Version is a version of an object, or a delete marker. A marker hides the older versions.
type Version struct {
	Key     string
	ID      string // "" if it was written while the store kept no versions
	Newest  bool   // Get finds this one or, if it is a marker, finds none because of it
	Marker  bool
	Bytes   int64
	Written time.Time // by the store's clock
}

// Bucket is a store of objects. All calls are safe for concurrent use.
type Bucket interface {
	Inspector
	Opener
	// Put writes the object and returns its new version. With version "" it creates the object: fs.ErrExist says that it already
	// exists. With another version it replaces exactly that one: fs.ErrExist says that the object has another version now,
	// fs.ErrNotExist that it is gone.
	Put(ctx context.Context, key string, body []byte, version string) (string, error)
	// Delete removes the objects. If a key has no object, that is no error. It asks the store once for a thousand keys. A store
	// with versions hides an object behind a delete marker, and keeps every version. After an error, some of the objects may be
	// gone. A later Put can create an object with that key again.
	Delete(ctx context.Context, keys ...string) error
	// Lock takes a lock that dies with the process. If the store has no such lock, locked is false and unlock does nothing.
	// fs.ErrExist says that another process holds it. It locks only the name: a Put can still write the object with that key.
	Lock(ctx context.Context, key string) (unlock func() error, locked bool, err error)
}

// Options are the options of every kind of store. A store ignores an option that does not apply to it. The zero value of each
// field is the default.
type Options struct {
	// Rewritten tells which keys are working state, such as a lease. They get no storage class, and no retention: a retention
	// would keep each of their many versions. By default there are none.
	Rewritten func(key string) bool

	Idle time.Duration // how long a body may pause, without a byte that moves; default 30s
	// Interactive is for a command while a user waits: if an endpoint is down, the store reports that at once.
	Interactive bool
	Log         *zap.Logger // gets a warning for each failed attempt and each slow body; nil is silent
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

// CheckFolder refuses a folder that no key can lie in.
func CheckFolder(folder string) error {
	if folder != "" && !strings.HasSuffix(folder, "/") {
		return fmt.Errorf("unsafe folder %q: %w: a folder ends with a slash", folder, fs.ErrInvalid)
	}
	return CheckPrefix(folder)
}

// CheckPrefix refuses a prefix that no key can have. It may end anywhere in a key, also after a slash.
func CheckPrefix(prefix string) error {
	if prefix == "" {
		return nil
	}
	return CheckKey(strings.TrimSuffix(prefix, "/"))
}
