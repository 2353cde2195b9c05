package dir

import (
	"errors"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// TestSyncUnknown: if a file system, such as CIFS, cannot sync a folder, that is no error; if a sync fails, it is.
func TestSyncUnknown(t *testing.T) {
	t.Parallel()
	for cause, dropped := range map[error]bool{
		syscall.EINVAL: true, syscall.ENOTSUP: true, syscall.EIO: false, syscall.ENOSPC: false, nil: true,
	} {
		err := error(nil)
		if cause != nil {
			err = &fs.PathError{Op: "sync", Path: "/d", Err: cause}
		}
		if got := unlessUnknown(err); (got == nil) != dropped {
			t.Errorf("%v: error %v; want none: %v", cause, got, dropped)
		}
	}
}

// TestSyncDirs: folders of a file system that cannot be synced, such as procfs, count as written.
func TestSyncDirs(t *testing.T) {
	t.Parallel()
	if err := syncDirs([]string{t.TempDir()}); err != nil {
		t.Error(err)
	}
	if runtime.GOOS == "linux" {
		if err := syncDirs([]string{"/proc/self"}); err != nil {
			t.Errorf("%v; want none, as procfs answers EINVAL", err)
		}
	}
	if err := syncDirs([]string{"/nonexistent"}); err == nil {
		t.Error("a folder that is not there counts as written")
	}
}

// TestExplainFile has the errors that happen only on a special file system.
func TestExplainFile(t *testing.T) {
	t.Parallel()
	noLinks := explainFile("write", "/d/k", &os.LinkError{Op: "link", Old: "/d/.tmp", New: "/d/k", Err: syscall.EPERM})
	if !strings.Contains(noLinks.Error(), "hard links") {
		t.Errorf("error %q; want one with the need for hard links", noLinks)
	}
	for cause, want := range map[error]string{
		syscall.ENOSPC:  "free space or enlarge the volume",
		syscall.EDQUOT:  "free space or enlarge the volume",
		syscall.EROFS:   "mount it for writing",
		syscall.EACCES:  "let user",
		syscall.EPERM:   "let user",
		syscall.ENOTSUP: "hard links and file locks, or S3",
		syscall.ENOLCK:  "hard links and file locks, or S3",
		syscall.EIO:     "write /d/k: link /d/k: input/output error",
	} {
		err := explainFile("write", "/d/k", &fs.PathError{Op: "link", Path: "/d/k", Err: cause})
		if !errors.Is(err, cause) || !strings.HasPrefix(err.Error(), "write /d/k: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: error %q; want one with %q", cause, err, want)
		}
	}
}
