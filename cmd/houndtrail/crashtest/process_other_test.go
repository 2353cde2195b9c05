//go:build !linux

package crashtest

import "syscall"

// dieWithTest does nothing here: only Linux offers it.
func dieWithTest() *syscall.SysProcAttr { return nil }
