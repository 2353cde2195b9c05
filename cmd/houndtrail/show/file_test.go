package show

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// TestFile: the earlier file stays until the new one is whole, and nothing else is left in the folder.
func TestFile(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for name, test := range map[string]struct {
		end  func(*File) error
		want string
	}{
		"commit": {func(f *File) error {
			return f.Commit(func(w io.Writer) error { _, err := io.WriteString(w, "new"); return err })
		}, "new"},
		"abort": {func(f *File) error { f.Abort(); return nil }, "old"},
		"no disk": {func(f *File) error {
			err := f.Commit(func(w io.Writer) error { _, _ = io.WriteString(w, "ne"); return broken })
			if !errors.Is(err, broken) {
				t.Errorf("the error is %v", err)
			}
			return nil
		}, "old"},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "report.html")
		if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := NewFile(path)
		if err != nil {
			t.Fatal(err)
		}
		err = test.end(f)
		f.Abort()
		got, readErr := os.ReadFile(path)
		left, listErr := os.ReadDir(dir)
		if err := errors.Join(err, readErr, listErr); err != nil || string(got) != test.want || len(left) != 1 {
			t.Errorf("%s: %v, %q, %d files", name, err, got, len(left))
		}
	}
	for _, path := range []string{t.TempDir(), filepath.Join(t.TempDir(), "none", "report.html")} {
		if _, err := NewFile(path); err == nil {
			t.Errorf("%s was begun", path)
		}
	}
}
