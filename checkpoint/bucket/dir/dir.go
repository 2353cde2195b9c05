// Package dir is a store in a directory of a file system.
package dir

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
)

// The owner may write the files and a group may read them, because not every user may read an audit log.
const (
	fileMode = 0o640
	dirMode  = 0o750
)

// Bucket is a [bucket.Bucket] in a directory of a file system that has hard links and flock: each object is a file.
//
// Names that begin with a dot belong to the store itself: locks, and files that a crash left in the middle of a write. It never
// reads these as objects, and a user may remove them at any time.
type Bucket struct {
	root  string
	swept sync.Once
}

// Open opens the directory at an absolute path. If it does not exist, the first Put makes it: a command that only reads leaves
// no trace.
func Open(path string) (*Bucket, error) {
	if !filepath.IsAbs(path) {
		return nil, fmt.Errorf("directory %q is not an absolute path: write it from the root on", path)
	}
	d := &Bucket{root: filepath.Clean(path)}
	info, err := os.Stat(d.root)
	if err == nil && !info.IsDir() {
		return nil, fmt.Errorf("%s is a file: name a directory", d.root)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, explainFile("open", d.root, err)
	}
	return d, nil
}

// String implements [bucket.Bucket].
func (d *Bucket) String() string { return (&url.URL{Scheme: "file", Path: d.root}).String() }

// Get implements [bucket.Bucket]. The version is the body's SHA-256. The age is by this machine's clock. Unless the directory
// is a network mount, the same clock stamped the file. If Lock works, no caller needs the age for a decision.
func (d *Bucket) Get(ctx context.Context, key string) ([]byte, string, time.Duration, error) {
	path, err := d.path(ctx, key)
	if err != nil {
		return nil, "", 0, err
	}
	body, written, err := readFile(path)
	if err != nil {
		return nil, "", 0, explainFile("read", path, err)
	}
	return body, digest(body), max(0, time.Since(written)), nil
}

// Put implements [bucket.Bucket]: a new file is synced to disk and then linked or renamed to its name.
func (d *Bucket) Put(ctx context.Context, key string, body []byte, version string) (string, error) {
	path, err := d.path(ctx, key)
	if err != nil {
		return "", err
	}
	d.swept.Do(func() { sweep(d.root) })
	if version == "" {
		err = createFile(d.root, path, body)
	} else {
		err = replaceFile(d.root, path, body, version)
	}
	if err != nil {
		return "", explainFile("write", path, err)
	}
	return digest(body), nil
}

// Delete implements [bucket.Bucket].
func (d *Bucket) Delete(ctx context.Context, keys ...string) error {
	folders := map[string][]string{}
	for _, key := range keys {
		path, err := d.path(ctx, key)
		if err != nil {
			return err
		}
		folders[filepath.Dir(path)] = append(folders[filepath.Dir(path)], path)
	}
	for _, folder := range slices.Sorted(maps.Keys(folders)) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if path, err := removeFiles(folder, folders[folder]); err != nil {
			return explainFile("remove", path, err)
		}
	}
	return nil
}

// List implements [bucket.Bucket].
func (d *Bucket) List(ctx context.Context, prefix, after string) ([]string, error) {
	var keys []string
	err := d.walk(ctx, prefix, func(key string, _ fs.DirEntry) error {
		if key > after {
			keys = append(keys, key)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(keys) // in a walk, "a/b" comes before "a-b"
	return keys, nil
}

// Folders implements [bucket.Bucket]. A directory may keep a folder for a moment after its last object was removed.
func (d *Bucket) Folders(ctx context.Context, folder string) (names []string, err error) {
	if err := errors.Join(bucket.CheckFolder(folder), ctx.Err()); err != nil {
		return nil, err
	}
	start := filepath.Join(d.root, filepath.FromSlash(folder))
	entries, err := os.ReadDir(start)
	if err != nil && !isMissing(err) {
		return nil, explainFile("list", start, err)
	}
	for _, entry := range entries {
		if entry.IsDir() && !strings.HasPrefix(entry.Name(), ".") {
			names = append(names, entry.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

// walk calls each for every object whose key begins with prefix, until each returns an error.
func (d *Bucket) walk(ctx context.Context, prefix string, each func(key string, entry fs.DirEntry) error) error {
	if err := bucket.CheckPrefix(prefix); err != nil {
		return err
	}
	// Only the folder that the prefix names can have such keys.
	folder, _ := filepath.Split(filepath.FromSlash(prefix))
	start := filepath.Join(d.root, folder)
	err := filepath.WalkDir(start, func(path string, entry fs.DirEntry, err error) error {
		if isMissing(err) || err == nil && path == start {
			return nil // no object was written there yet, or another process has just removed the folder
		}
		if err = errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		if strings.HasPrefix(entry.Name(), ".") {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		key := filepath.ToSlash(strings.TrimPrefix(strings.TrimPrefix(path, d.root), string(filepath.Separator)))
		if entry.IsDir() || !strings.HasPrefix(key, prefix) {
			return nil
		}
		return each(key, entry)
	})
	if err != nil {
		return explainFile("list", start, err)
	}
	return nil
}

// Lock implements [bucket.Bucket] with flock, which the kernel drops when the process ends.
func (d *Bucket) Lock(ctx context.Context, key string) (func() error, bool, error) {
	path, err := d.path(ctx, key)
	if err != nil {
		return nil, false, err
	}
	folder, name := filepath.Split(path)
	// After a crash the lock itself is gone anyway, but files of later puts need its folder to be durable.
	changed, err := makeDir(filepath.Clean(folder))
	if err == nil {
		err = syncDirs(changed)
	}
	if err != nil {
		return nil, false, explainFile("lock", path, err)
	}
	// The lock's file stays after the release: if it were removed, two processes could hold locks on the same name.
	unlock, err := lockFile(filepath.Join(folder, "."+name), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, false, fmt.Errorf("lock %s: another process holds it: %w", path, fs.ErrExist)
	}
	if err != nil {
		return nil, false, explainFile("lock", path, err)
	}
	return unlock, true, nil
}

func (d *Bucket) path(ctx context.Context, key string) (string, error) {
	if err := bucket.CheckKey(key); err != nil {
		return "", err
	}
	return filepath.Join(d.root, filepath.FromSlash(key)), ctx.Err()
}

// readFile returns the body and the time of the last change of one and the same file.
func readFile(path string) (body []byte, written time.Time, err error) {
	info, err := openFile(path, func(r io.Reader) (err error) { body, err = io.ReadAll(r); return err })
	if err != nil {
		return nil, time.Time{}, err
	}
	return body, info.ModTime(), nil
}

// openFile makes read take the body, and describes the same file, even if another file gets its name meanwhile.
func openFile(path string, read func(io.Reader) error) (fs.FileInfo, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // the file was only read, so an error here has no effect
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, fs.ErrNotExist // "a" is no object because there is an object "a/b"
	}
	return info, read(f)
}

func digest(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}
