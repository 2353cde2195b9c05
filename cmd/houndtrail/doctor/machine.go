package doctor

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
)

// machineGroup is the group of the machine's checks.
const machineGroup = "machine"

// A machine is the environment in which the process runs.
type machine struct {
	root    fs.FS // the root of the file system
	goLimit int64 // the bytes of memory that Go may take
}

func newMachine() *machine { return &machine{root: os.DirFS("/"), goLimit: debug.SetMemoryLimit(-1)} }

func machineChecks() []check[*machine] {
	return []check[*machine]{
		{name: "memory", about: "the memory limit of the cgroup leaves room for that of the process", run: (*machine).memory},
	}
}

// memory compares the two limits. If a process needs more than the limit of its cgroup, the kernel kills it. Go takes as much
// memory as its own limit allows.
func (m *machine) memory(context.Context) []Row {
	own := mebibytes(m.goLimit)
	limit, at := m.cgroup()
	if limit == 0 {
		return okf("no limit of a cgroup is known; Go's memory may take %s", own)
	}
	seen := fmt.Sprintf("the limit of the cgroup (%s) is %s, and Go's memory may take %s", at, mebibytes(limit), own)
	advice := fmt.Sprintf("give the container more memory, or set GOMEMLIMIT to %s", mebibytes(limit/100*85))
	switch {
	case m.goLimit > limit:
		return wrong(seen+", so that the kernel may kill a run", advice)
	case m.goLimit > limit/100*95:
		return warn(seen+", which leaves little for the rest of the process", advice)
	}
	return []Row{{State: OK, Seen: seen}}
}

func mebibytes(n int64) string {
	if n >= 1<<50 {
		return "any number of bytes"
	}
	return strconv.FormatInt(n>>20, 10) + "MiB"
}

// cgroup returns the lowest memory limit of the process's cgroup and of those above it, and the file that has it; 0 if there is
// none. In a container, the process sees its own cgroup as the root.
func (m *machine) cgroup() (lowest int64, at string) {
	text, err := fs.ReadFile(m.root, "proc/self/cgroup")
	if err != nil {
		return 0, ""
	}
	for line := range strings.Lines(string(text)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		mount, file := "sys/fs/cgroup", "memory.max"
		switch {
		case parts[0] != "0" && strings.Contains(","+parts[1]+",", ",memory,"): // version 1
			mount, file = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
		case parts[0] != "0":
			continue
		}
		for group := path.Join("/", parts[2]); ; group = path.Dir(group) {
			name := path.Join(mount, group, file)
			if n := limitIn(m.root, name); n > 0 && (lowest == 0 || n < lowest) {
				lowest, at = n, "/"+name
			}
			if group == "/" {
				break
			}
		}
	}
	return lowest, at
}

// limitIn returns the limit in a file, in bytes; 0 if it has none.
func limitIn(root fs.FS, name string) int64 {
	text, err := fs.ReadFile(root, name)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64) // version 2 says max if there is no limit
	if err != nil || n >= 1<<60 {                                       // version 1 says a huge number
		return 0
	}
	return n
}
