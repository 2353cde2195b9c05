package doctor

import "golang.org/x/sys/unix"

// freeSpace returns the number of bytes that this user may still write to the file system of a directory.
func freeSpace(dir string) (free int64, known bool) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, false
	}
	return int64(s.Bavail) * s.Bsize, true
}
