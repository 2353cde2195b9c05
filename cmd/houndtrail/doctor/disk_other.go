//go:build !linux

package doctor

// freeSpace is known on Linux only.
func freeSpace(string) (free int64, known bool) { return 0, false }
