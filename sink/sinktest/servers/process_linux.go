package servers

import "syscall"

// dieWithTest has the kernel kill the server when the test binary ends, since a test that times out runs no clean-up.
func dieWithTest() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
