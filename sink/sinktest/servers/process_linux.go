package servers

import "syscall"

// DieWithTest makes the kernel kill the server when the test binary ends: a test that times out runs no clean-up.
func DieWithTest() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
