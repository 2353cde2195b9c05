// Package bucket is durable storage of whole objects, with the same semantics in a directory ([Dir]) and in S3 ([S3]).
//
// What both promise, and package buckettest checks on both:
//
//   - A Put that returned survives a crash of either side. Readers see the old body or the new one, never a part.
//   - Creating is exclusive, and so is replacing a version: of many writers, in one process or in many, one wins.
//     The others get fs.ErrExist.
//   - A Put that the store carried out, but whose answer was lost, counts as success. The proof is the object itself,
//     read back and compared: bodies that different writers could write at once should name their writer.
//   - A version is a digest of the body (the SHA-256, or S3's ETag). A body that changes and changes back is the same
//     version again.
//   - Temporary failures are retried inside. An error is final for now, says what to do, and never shows a secret.
//   - Keys are slash-separated and relative to the root. A key that could leave the root, or with a part that begins
//     with a dot (which the directory keeps for itself), is refused.
package bucket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"
	"time"
)

// Bucket stores objects whose bodies fit into memory. All calls are safe for concurrent use.
//
// It says the same as checkpoint.Bucket, which the journal states for itself.
type Bucket interface {
	// Get returns the object's body, its version, and how long ago it was written, by the store's own clock.
	// A missing object is fs.ErrNotExist.
	Get(ctx context.Context, key string) (body []byte, version string, age time.Duration, err error)
	// Put writes the object and returns its new version. With version "" it creates the object: fs.ErrExist says that
	// there is one already. Else it replaces exactly that version: fs.ErrExist says that there is another by now,
	// fs.ErrNotExist that there is none.
	Put(ctx context.Context, key string, body []byte, version string) (string, error)
	// List returns, in ascending order of bytes, the keys that begin with prefix and sort after the key after.
	List(ctx context.Context, prefix, after string) ([]string, error)
	// Lock takes a lock that dies with the process; locked is false where the store has no such thing. fs.ErrExist
	// says that another process holds it. It locks the name only: the object of that key can still be written.
	Lock(ctx context.Context, key string) (unlock func() error, locked bool, err error)
	// String is the store's URL, for people.
	String() string
}

// Open opens the store that a URL names: file:///abs/dir, or s3://bucket/prefix, to which opts apply. It does not talk
// to the store: what is wrong there shows at the first call.
func Open(ctx context.Context, rawURL string, opts S3Options) (Bucket, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		// The error of url.Parse quotes the URL, which may hold a password.
		if parse, ok := errors.AsType[*url.Error](err); ok {
			err = parse.Err
		}
		return nil, fmt.Errorf("storage URL cannot be read: %w: write file:///dir or s3://bucket/prefix", err)
	}
	if u.User != nil {
		return nil, errors.New("storage URL has a user or password in it: " +
			"leave them out, credentials come from the environment (AWS_ACCESS_KEY_ID or a role)")
	}
	if u.RawQuery != "" || u.Fragment != "" || u.ForceQuery {
		return nil, fmt.Errorf("storage URL %q has something after a ? or #: "+
			"write the address only, options are settings of their own", rawURL)
	}
	switch u.Scheme {
	case "file":
		if u.Opaque != "" || u.Host != "" || u.Path == "" {
			return nil, fmt.Errorf("storage URL %q is not an absolute path: write file:///dir, with three slashes", rawURL)
		}
		return OpenDir(u.Path)
	case "s3":
		if u.Host == "" {
			return nil, fmt.Errorf("storage URL %q names no bucket: write s3://bucket/prefix", rawURL)
		}
		opts.Bucket, opts.Prefix = u.Host, strings.Trim(u.Path, "/")
		return OpenS3(ctx, opts)
	case "":
		return nil, fmt.Errorf("storage URL %q has no scheme: write file:///dir or s3://bucket/prefix", rawURL)
	}
	return nil, fmt.Errorf("storage URL %q: scheme %q is not supported: write file:///dir or s3://bucket/prefix",
		rawURL, u.Scheme)
}

// checkKey refuses a key that is not the name of an object below the root.
func checkKey(key string) error {
	if !fs.ValidPath(key) || strings.HasPrefix(key, ".") || strings.Contains(key, "/.") ||
		strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r == '\\' || r == 0x7f }) {
		return fmt.Errorf("unsafe object key %q: %w: keys are relative paths without empty or dotted parts",
			key, fs.ErrInvalid)
	}
	return nil
}

// checkPrefix refuses a prefix that no key can have. It may end anywhere in a key, also after a slash.
func checkPrefix(prefix string) error {
	if prefix == "" {
		return nil
	}
	return checkKey(strings.TrimSuffix(prefix, "/"))
}
