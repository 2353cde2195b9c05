package crashtest

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A cgroup is a memory limit of the kernel, as a pod has. The kernel kills a process that exceeds it.
type cgroup struct {
	t     *testing.T
	dir   string
	procs string // the file in which a process writes its number to enter
	most  string // the file with the most bytes that were used
}

// The two generations of control groups.
const (
	groupsV1 = "/sys/fs/cgroup/memory"
	groupsV2 = "/sys/fs/cgroup"
)

// newCgroup skips the test if no memory can be limited, unless the flag asks for cgroups.
func newCgroup(t *testing.T, limit int) *cgroup {
	t.Helper()
	g := &cgroup{t: t, dir: filepath.Join(groupsV2, "houndtrail-"+strconv.Itoa(os.Getpid())), most: "memory.peak"}
	limits := map[string]string{"memory.max": strconv.Itoa(limit), "memory.swap.max": "0"}
	if _, err := os.Stat(groupsV1); err == nil {
		g.dir = filepath.Join(groupsV1, filepath.Base(g.dir))
		g.most = "memory.max_usage_in_bytes"
		limits = map[string]string{"memory.limit_in_bytes": strconv.Itoa(limit)}
	}
	g.procs = filepath.Join(g.dir, "cgroup.procs")
	err := os.Mkdir(g.dir, 0o700)
	for file, value := range limits {
		if err == nil {
			err = os.WriteFile(filepath.Join(g.dir, file), []byte(value), 0o600)
		}
	}
	if err != nil && *cgroups {
		t.Fatalf("no memory can be limited here: %v", err)
	}
	if err != nil {
		t.Skipf("no memory can be limited here, which takes root and control groups: %v", err)
	}
	t.Cleanup(func() {
		if err := os.Remove(g.dir); err != nil {
			t.Error(err)
		}
	})
	return g
}

// resident tells, when the process has ended, the most bytes that it had in memory, without cached files: the kernel fills a
// cgroup with read and written data as far as there is room.
func (p *process) resident() <-chan int {
	told := make(chan int, 1)
	go func() {
		most := 0
		defer func() { told <- most }()
		for tick := time.NewTicker(20 * time.Millisecond); ; {
			status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
			if _, rest, ok := strings.Cut(string(status), "VmHWM:"); ok {
				n, _ := strconv.Atoi(strings.Fields(rest)[0])
				most = max(most, n<<10)
			}
			select {
			case <-tick.C:
			case <-p.done:
				tick.Stop()
				return
			}
		}
	}()
	return told
}

// peak is the most bytes that were used, with all read and written data that the kernel kept.
func (g *cgroup) peak() int {
	text, err := os.ReadFile(filepath.Join(g.dir, g.most))
	if err != nil {
		g.t.Error(err)
	}
	n, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return n
}
