package checkpoint

import (
	"context"
	"strings"
	"time"
)

// Bucket is what a journal needs of its store. Every key is relative to the store's own root.
//
// All calls are safe for concurrent use and atomic: a reader sees the old body or the new one, never a part.
// Temporary failures are retried inside; what comes back is final for this cycle, and names the object.
type Bucket interface {
	// Get returns the object's body, an opaque version of it, and how long ago it was written, by the store's own
	// clock. A missing object is fs.ErrNotExist.
	Get(ctx context.Context, key string) (body []byte, version string, age time.Duration, err error)
	// Put writes the object durably and returns its new version. With version "" it creates the object, and
	// fs.ErrExist says that there is one already; else it replaces exactly that version, and fs.ErrExist says that
	// there is another by now, fs.ErrNotExist that there is none.
	Put(ctx context.Context, key string, body []byte, version string) (string, error)
	// List returns, in ascending order, the keys that begin with prefix and sort after the key after. It may not know
	// yet of objects that were written a moment ago; Get does.
	List(ctx context.Context, prefix, after string) ([]string, error)
	// Lock takes a lock that dies with the process, where the store has such a thing (flock); locked is false
	// where it has not, and the lease then lives by expiry. fs.ErrExist says that another process holds it.
	Lock(ctx context.Context, key string) (unlock func() error, locked bool, err error)
	// String names the store for people: s3://bucket/prefix or file:///dir.
	String() string
}

const (
	stateFolder = "state/"
	leaseName   = stateFolder + "lease.json"
	lockName    = stateFolder + "lease.lock"
	latestName  = stateFolder + "latest"
	probeName   = stateFolder + "probe"
	failureName = stateFolder + "failure.json"
)

// Rewritten tells the objects of a journal that are rewritten from its entries, which are kept. All of them lie under
// <stream>/state/, so that a lifecycle rule can clear their old versions.
func Rewritten(key string) bool {
	_, name, ok := strings.Cut(key, "/")
	return ok && strings.HasPrefix(name, stateFolder)
}
