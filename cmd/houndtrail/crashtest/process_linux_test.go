package crashtest

import "syscall"

// dieWithTest has the kernel kill the program with the test binary: a test that times out runs no clean-up.
func dieWithTest() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
