package dir_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/checkpoint/bucket/buckettest"
	"github.com/houndtrail/houndtrail/checkpoint/bucket/dir"
)

// childEnv names the task of this test binary when a test starts it as another process, and the directory.
const childEnv = "HOUNDTRAIL_BUCKET_TEST_CHILD"

func TestMain(m *testing.M) {
	if task, root, ok := strings.Cut(os.Getenv(childEnv), ":"); ok {
		if err := child(task, root); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child holds a lock, or replaces an object again and again, until it is killed. It prints each step that is done.
func child(task, root string) error {
	d, err := dir.Open(root)
	if err != nil {
		return err
	}
	ctx := context.Background()
	if task == "lock" {
		if _, _, err := d.Lock(ctx, "stream/lease"); err != nil {
			return err
		}
		fmt.Println("locked")
		select {}
	}
	version := ""
	for i := 0; ; i++ {
		if version, err = d.Put(ctx, "a/b", childBody(i), version); err != nil {
			return err
		}
		fmt.Println(i)
	}
}

func childBody(i int) []byte { return bytes.Repeat(fmt.Appendf(nil, "%08d", i), 1<<15) }

// startChild starts a child and returns its output, line by line. kill kills it and returns when it is gone.
func startChild(t *testing.T, task, root string) (lines *bufio.Scanner, kill func()) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childEnv+"="+task+":"+root)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }
	t.Cleanup(kill)
	return bufio.NewScanner(out), kill
}

func TestConformance(t *testing.T) {
	t.Parallel()
	buckettest.Run(t, 1<<20, func(t *testing.T) buckettest.Store {
		t.Helper()
		root := t.TempDir()
		return func(folder string) bucket.Bucket { return open(t, filepath.Join(root, folder)) }
	})
}

// TestLockDies: kill -9 of the holder frees the lock, so no operator has to free it.
func TestLockDies(t *testing.T) {
	t.Parallel()
	d := open(t, t.TempDir())
	lines, kill := startChild(t, "lock", strings.TrimPrefix(d.String(), "file://"))
	if !lines.Scan() || lines.Text() != "locked" {
		t.Fatalf("the other process says %q", lines.Text())
	}
	if _, _, err := d.Lock(t.Context(), "stream/lease"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Lock while another process holds it: %v; want fs.ErrExist", err)
	}
	kill()
	unlock, locked, err := d.Lock(t.Context(), "stream/lease")
	if err != nil || !locked {
		t.Fatalf("Lock after the holder was killed: %v, %v", locked, err)
	}
	if err := unlock(); err != nil {
		t.Error(err)
	}
}

// TestKilled kills a process while it writes: the object has the last reported body or the next one, and always a whole one.
func TestKilled(t *testing.T) {
	t.Parallel()
	for round := range 5 {
		d := open(t, t.TempDir())
		lines, kill := startChild(t, "put", strings.TrimPrefix(d.String(), "file://"))
		done := -1
		for done < round*3 {
			if !lines.Scan() {
				t.Fatal("the other process stopped by itself")
			}
			if _, err := fmt.Sscan(lines.Text(), &done); err != nil {
				t.Fatalf("the other process says %q", lines.Text())
			}
		}
		kill()
		for lines.Scan() {
			_, _ = fmt.Sscan(lines.Text(), &done) // it went on until the kill came
		}
		body, version, _, err := d.Get(t.Context(), "a/b")
		if err != nil || !bytes.Equal(body, childBody(done)) && !bytes.Equal(body, childBody(done+1)) {
			t.Fatalf("after step %d: %d bytes %.16q, %v", done, len(body), body, err)
		}
		buckettest.Put(t, d, "a/b", []byte("next"), version) // the lock of the dead process does not block this
		if keys, err := d.List(t.Context(), "", ""); err != nil || len(keys) != 1 {
			t.Errorf("List: %q, %v; want a/b, whatever the dead left behind", keys, err)
		}
	}
}

// TestLeftovers: the file that a crash leaves of a write is no object, and disturbs no other write.
func TestLeftovers(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	d := open(t, root)
	version := buckettest.Put(t, d, "a/b", []byte("one"), "")
	if err := os.WriteFile(filepath.Join(root, "a", ".tmp-LEFTOVER"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	buckettest.Put(t, d, "a/b", []byte("two"), version)
	if keys, err := d.List(t.Context(), "", ""); err != nil || len(keys) != 1 || keys[0] != "a/b" {
		t.Errorf("List: %q, %v; want a/b", keys, err)
	}
}

// TestSweeps: a later run removes the files of killed runs, when no process can be writing them any more.
func TestSweeps(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for name, age := range map[string]time.Duration{".tmp-DEAD": 2 * time.Hour, ".tmp-ALIVE": time.Minute, ".other": 2 * time.Hour} {
		path := filepath.Join(root, name)
		if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, time.Now().Add(-age), time.Now().Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	buckettest.Put(t, open(t, root), "a", []byte("one"), "")
	var left []string
	entries, err := os.ReadDir(root)
	for _, entry := range entries {
		left = append(left, entry.Name())
	}
	if want := []string{".other", ".tmp-ALIVE", "a"}; err != nil || !slices.Equal(left, want) {
		t.Errorf("%q is left, %v; want %q", left, err, want)
	}
}

// TestFiles: a finished Put leaves the object and no temporary file, and others cannot read the object's file.
func TestFiles(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	d := open(t, filepath.Join(root, "audit"))
	if entries, err := os.ReadDir(root); err != nil || len(entries) != 0 {
		t.Errorf("opening made %v, %v; want nothing", entries, err)
	}
	version := buckettest.Put(t, d, "a/b", []byte("one"), "")
	buckettest.Put(t, d, "a/b", []byte("two"), version)
	if _, err := d.Put(t.Context(), "a/b", []byte("three"), ""); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Put: %v; want fs.ErrExist", err)
	}
	err := filepath.WalkDir(filepath.Join(root, "audit"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if strings.HasPrefix(entry.Name(), ".tmp-") {
			t.Errorf("%s was left behind", path)
		}
		info, err := entry.Info()
		if err == nil && info.Mode().Perm()&0o027 != 0 {
			t.Errorf("%s has mode %s; want nothing for others, and no writing for the group", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestAge(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	d := open(t, root)
	buckettest.Put(t, d, "a", nil, "")
	for written, want := range map[time.Duration]time.Duration{-time.Hour: time.Hour, time.Hour: 0} {
		when := time.Now().Add(written)
		if err := os.Chtimes(filepath.Join(root, "a"), when, when); err != nil {
			t.Fatal(err)
		}
		if _, _, age, err := d.Get(t.Context(), "a"); err != nil || (age-want).Abs() > time.Minute {
			t.Errorf("Get: age %s, %v; want about %s", age, err, want)
		}
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	_, err := dir.Open("relative/dir")
	buckettest.WantError(t, "Open", err, "not an absolute path")

	d := open(t, t.TempDir())
	buckettest.Put(t, d, "a", nil, "")
	_, err = d.Put(t.Context(), "a/b", nil, "")
	buckettest.WantError(t, "Put below an object", err, "a file stands where a folder is needed")

	if runtime.GOOS != "linux" {
		return
	}
	// /sys refuses a new folder even to root, to whom file modes mean nothing.
	d = open(t, "/sys/houndtrail")
	_, err = d.Put(t.Context(), "a", nil, "")
	buckettest.WantError(t, "Put", err, "write /sys/houndtrail/a:")
	buckettest.WantError(t, "Put", err, "and write there")
	_, _, err = d.Lock(t.Context(), "a")
	buckettest.WantError(t, "Lock", err, "and write there")
}

func open(t *testing.T, path string) *dir.Bucket {
	t.Helper()
	d, err := dir.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
