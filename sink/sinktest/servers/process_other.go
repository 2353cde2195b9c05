//go:build !linux

package servers

import "syscall"

// DieWithTest does nothing here: only Linux offers it.
func DieWithTest() *syscall.SysProcAttr { return nil }
