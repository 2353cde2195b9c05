package checkpointtest

import (
	"os"
	"os/exec"
	"testing"
)

// NeedsPrograms checks that programs are installed that are not Houndtrail's. A third party checks evidence with them. On CI, a
// missing program is a failure, since a skip looks like a success.
func NeedsPrograms(tb testing.TB, names ...string) {
	tb.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err == nil {
			continue
		}
		if os.Getenv("CI") == "true" {
			tb.Fatalf("%s is missing: install it", name)
		}
		tb.Skipf("%s is missing", name)
	}
}
