package crashtest

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var (
	kills   = flag.Int("crash.kills", 10, "how often the binary is killed, over all destinations")
	faults  = flag.Int("crash.faults", 10, "how many network faults there are, over all connections")
	records = flag.Int("crash.records", 100_000, "how many records the failing server has")
	days    = flag.Int("crash.days", 0, "how many days the archive of TestYears has, at least 20; 0 for no such test")
	cgroups = flag.Bool("crash.cgroups", false, "test memory in every way, and fail where none can be limited")
	seed    = flag.Uint64("crash.seed", 0, "what chance is made of; 0 for another one each time")
)

// binary is the path of houndtrail, built as for its users.
var binary string

func TestMain(m *testing.M) {
	flag.Parse()
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	os.Exit(withBinary(m.Run))
}

func withBinary(run func() int) int {
	dir, err := os.MkdirTemp("", "houndtrail-crashtest-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary = filepath.Join(dir, "houndtrail")
	build := exec.Command("go", "build", "-o", binary, "github.com/houndtrail/houndtrail/cmd/houndtrail")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=") // flags of the tests, such as -race, are not for it
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n%s", build, err, out)
		return 1
	}
	return run()
}

// noticeChanges looks at every source file of the module. The go command remembers the files that a test has looked at, and
// repeats its result from the cache only while these are unchanged. It would not know the sources of the binary. A look in
// TestMain would be too early for that.
func noticeChanges() error {
	const module = "../../.."
	return filepath.WalkDir(module, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != module && strings.HasPrefix(entry.Name(), "."):
			return fs.SkipDir
		case !entry.IsDir():
			_, err = os.Stat(path)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // an editor's temporary file
		}
		return err
	})
}
