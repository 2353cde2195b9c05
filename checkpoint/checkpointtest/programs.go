package checkpointtest

import (
	"os"
	"os/exec"
	"testing"
)

// NeedsPrograms makes sure of programs that are not Houndtrail's, with which a third party checks evidence. On CI it is a failure
// if one is missing, since a skip looks like a success.
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
