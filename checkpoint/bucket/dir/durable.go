package dir

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	tmpPrefix = ".tmp-"
	tmpLife   = time.Hour
)

// createFile makes the file at path, somewhere below root, if there is none. Link, unlike rename, refuses to replace.
//
//	mkdir                       for each missing folder
//	write root/.tmp-X, fsync    a crash up to here leaves .tmp-X, which no run reads, until a later one sweeps it
//	link .tmp-X path            the file is there, whole
//	unlink .tmp-X
//	fsync of the folder and of the parents of new folders: the name is durable
//
// createFile writes the new file at the root and not in its folder: the first file in a new folder costs a file system several
// times as much. Old history has one object in each of hundreds of folders. It syncs all folders at the end: if nothing changes
// between several fsyncs, the first one does the work of all.
func createFile(root, path string, body []byte) error {
	changed, err := makeDir(filepath.Dir(path))
	if err != nil {
		return err
	}
	tmp, err := writeTemp(root, body)
	if err != nil {
		return err
	}
	linkErr := os.Link(tmp, path)
	if err := os.Remove(tmp); err != nil && linkErr == nil {
		return err
	}
	if linkErr != nil {
		return linkErr
	}
	return syncDirs(append(changed, filepath.Dir(path)))
}

// replaceFile replaces the file at path by a new one, if its body has the digest version.
//
// A lock makes one step of comparing and renaming, for every process that replaces a file in this folder. Creating needs no
// lock: it changes no existing file.
func replaceFile(root, path string, body []byte, version string) error {
	folder := filepath.Dir(path)
	if _, err := os.Stat(path); err != nil {
		return err // without this, the lock would be made in a folder that may not be there
	}
	unlock, err := lockFile(filepath.Join(folder, ".replace"), syscall.LOCK_EX)
	if err != nil {
		return err
	}
	defer func() { _ = unlock() }() // if closing fails, the lock is free all the same
	old, _, err := readFile(path)
	if err != nil {
		return err
	}
	if digest(old) != version {
		return fmt.Errorf("another process changed it: %w", fs.ErrExist)
	}
	tmp, err := writeTemp(root, body)
	if err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	return syncDirs([]string{folder})
}

// removeFiles removes files of one folder, and makes that durable. It returns the file at which it failed. It takes the lock of
// replaceFile. Without the lock, replaceFile could bring a file back that it read just before.
func removeFiles(folder string, paths []string) (failed string, err error) {
	if _, err := os.Stat(folder); isMissing(err) {
		return "", nil
	}
	unlock, err := lockFile(filepath.Join(folder, ".replace"), syscall.LOCK_EX)
	if err != nil {
		return paths[0], err
	}
	defer func() { _ = unlock() }() // if closing fails, the lock is free all the same
	for _, path := range paths {
		info, err := os.Lstat(path)
		if err == nil && info.IsDir() { // "a" is no object because there is an object "a/b"
			continue
		}
		if err == nil {
			err = os.Remove(path)
		}
		if err != nil && !isMissing(err) {
			return path, err
		}
	}
	return folder, syncDirs([]string{folder})
}

// writeTemp writes body durably to a new file of folder and returns its path.
func writeTemp(folder string, body []byte) (string, error) {
	path := filepath.Join(folder, tmpPrefix+rand.Text())
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return "", err
	}
	_, err = f.Write(body)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		_ = os.Remove(path) // the caller needs the first error; a leftover file does no harm
		return "", err
	}
	return path, nil
}

// sweep removes files that killed runs left at the root, when no process can be writing them any more. A failure does no harm.
func sweep(root string) {
	entries, _ := os.ReadDir(root)
	for _, entry := range entries {
		info, err := entry.Info()
		if err == nil && strings.HasPrefix(entry.Name(), tmpPrefix) && time.Since(info.ModTime()) > tmpLife {
			_ = os.Remove(filepath.Join(root, entry.Name()))
		}
	}
}

// makeDir makes a folder and its missing parents, and returns the folders to sync before anything in it is durable.
func makeDir(path string) (changed []string, err error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil, nil
	}
	parent := filepath.Dir(path)
	if parent != path {
		if changed, err = makeDir(parent); err != nil {
			return nil, err
		}
	}
	if err := os.Mkdir(path, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	// This is also needed if another process has just made the folder: a crash can still remove that folder, and our file with it.
	return append(changed, parent), nil
}

// syncDirs makes the names in folders durable. It begins with the last folder. This is the innermost one.
func syncDirs(folders []string) error {
	for _, folder := range slices.Backward(folders) {
		f, err := os.Open(folder)
		if err != nil {
			return err
		}
		if err := errors.Join(unlessUnknown(f.Sync()), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// unlessUnknown drops the error of a file system that does not know fsync of a folder, such as CIFS and some kinds of FUSE.
// There, a name is only as durable as the file system makes it, and Houndtrail can do no more.
func unlessUnknown(err error) error {
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		return nil
	}
	return err
}

// lockFile opens or makes the file and takes a flock on it. The flock lasts until unlock is called or the process ends.
func lockFile(path string, how int) (unlock func() error, err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(f.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(&fs.PathError{Op: "flock", Path: path, Err: err}, f.Close())
	}
	return f.Close, nil
}

func isMissing(err error) bool {
	// ENOTDIR: the key is "a/b", and "a" is an object.
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

func isLink(err error) bool {
	link, ok := errors.AsType[*os.LinkError](err)
	return ok && link.Op == "link"
}

// withoutOwn removes the names of our own temporary files from an error about a write to path: these names do not help a user.
func withoutOwn(path string, err error) error {
	if link, ok := errors.AsType[*os.LinkError](err); ok {
		return link.Err
	}
	inner, ok := errors.AsType[*fs.PathError](err)
	if !ok || !strings.HasPrefix(filepath.Base(inner.Path), ".") {
		return err
	}
	if folder := filepath.Dir(inner.Path); folder != filepath.Dir(path) && errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("make a new file in %s: %w", folder, inner.Err)
	}
	return inner.Err
}

// explainFile names the attempt, the file, the cause, and the next step.
func explainFile(verb, path string, err error) error {
	linking := isLink(err)
	err = withoutOwn(path, err)
	remedy := ""
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		remedy = "free space or enlarge the volume; the next run continues where this one stopped"
	case errors.Is(err, syscall.EROFS):
		remedy = "mount it for writing"
	case errors.Is(err, errors.ErrUnsupported), errors.Is(err, syscall.ENOLCK),
		linking && errors.Is(err, syscall.EPERM): // FAT returns this error
		remedy = "use a file system with hard links and file locks, or S3"
	case errors.Is(err, syscall.EXDEV):
		remedy = "keep the whole directory on one file system: a folder in it is another one's mount"
	case errors.Is(err, fs.ErrPermission):
		remedy = fmt.Sprintf("let user %d and group %d read and write there", os.Geteuid(), os.Getegid())
	case verb == "read" && isMissing(err):
		return fmt.Errorf("%s %s: %w", verb, path, fs.ErrNotExist)
	case verb == "write" && errors.Is(err, syscall.ENOTDIR):
		remedy = "a file stands where a folder is needed: move it away"
	}
	if remedy == "" {
		return fmt.Errorf("%s %s: %w", verb, path, err)
	}
	return fmt.Errorf("%s %s: %w: %s", verb, path, err, remedy)
}
