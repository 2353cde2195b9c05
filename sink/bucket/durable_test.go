package bucket

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"
)

// TestExplainFile has the errors that need a special file system to happen.
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
