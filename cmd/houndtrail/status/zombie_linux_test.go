package status

import (
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/houndtrail/houndtrail/checkpoint"
)

// A process that has ended is gone, also if its parent does not ask for its exit code: in a container, process 1 may not.
func TestZombieIsGone(t *testing.T) {
	t.Parallel()
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = child.Wait() }()
	if err := unix.Waitid(unix.P_PID, child.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	if !gone(checkpoint.Holder{Host: host, PID: child.Process.Pid}) {
		t.Error("it is not gone")
	}
}
