package servers

import "syscall"

// DieWithTest has the kernel kill the server when the test binary ends, since a test that times out runs no clean-up.
func DieWithTest() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
