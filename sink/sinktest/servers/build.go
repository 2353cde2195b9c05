package servers

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/lockedfile"
)

var (
	//go:embed versitygw.mod
	versitygwMod []byte
	//go:embed versitygw.sum
	versitygwSum []byte
	//go:embed victorialogs.mod
	victoriaLogsMod []byte
	//go:embed victorialogs.sum
	victoriaLogsSum []byte
	//go:embed toxiproxy.mod
	toxiproxyMod []byte
	//go:embed toxiproxy.sum
	toxiproxySum []byte
	//go:embed pushgateway.mod
	pushgatewayMod []byte
	//go:embed pushgateway.sum
	pushgatewaySum []byte
)

// A program is a server that the tests build from source: the first package that its mod file lists as a tool.
type program struct {
	name     string
	mod, sum []byte
	// build returns the path of the program. It keeps its answer: if the build failed once, it does not run again for every test.
	build func() (string, error)
}

var (
	versitygw    = newProgram("versitygw", versitygwMod, versitygwSum)
	victoriaLogs = newProgram("victorialogs", victoriaLogsMod, victoriaLogsSum)
	toxiproxy    = newProgram("toxiproxy", toxiproxyMod, toxiproxySum)
	pushgateway  = newProgram("pushgateway", pushgatewayMod, pushgatewaySum)
)

func newProgram(name string, mod, sum []byte) *program {
	p := &program{name: name, mod: mod, sum: sum}
	p.build = sync.OnceValues(p.findOrBuild)
	return p
}

// path returns the program's path. If there is none, it ends the test. On CI the test fails, elsewhere it is skipped.
func (p *program) path(tb testing.TB) string {
	tb.Helper()
	if testing.Short() {
		tb.Skipf("%s is not started with -short", p.name)
	}
	path, err := p.build()
	switch {
	case err == nil:
		return path
	case os.Getenv("CI") == "true":
		tb.Fatalf("%s is needed on CI: %v", p.name, err)
	default:
		tb.Skipf("NOT TESTED against a real server: %v", err)
	}
	return ""
}

var toolLine = regexp.MustCompile(`(?m)^tool (\S+)$`)

// findOrBuild returns the cached program, or builds it while other test binaries wait.
func (p *program) findOrBuild() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no folder to keep %s in: %w", p.name, err)
	}
	dir := filepath.Join(cache, "houndtrail", "testbin")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make the folder for %s: %w", p.name, err)
	}
	// The name depends on all pinned versions, so a new version of a library makes another program.
	pinned := sha256.Sum256(append(append([]byte{}, p.mod...), p.sum...))
	path := filepath.Join(dir, p.name+"-"+hex.EncodeToString(pinned[:6]))

	unlock, err := lockedfile.MutexAt(path + ".lock").Lock()
	if err != nil {
		return "", fmt.Errorf("wait for another build of %s: %w", p.name, err)
	}
	defer unlock()
	if _, err := os.Stat(path); err == nil {
		return path, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("look for %s: %w", p.name, err)
	}
	return path, p.buildTo(path)
}

// buildTo builds in its own module, and then renames the result: if another process kills the build, it leaves no half program.
func (p *program) buildTo(path string) error {
	tool := toolLine.FindSubmatch(p.mod)
	if tool == nil {
		return fmt.Errorf("%s.mod has no tool line", p.name)
	}
	dir, err := os.MkdirTemp(filepath.Dir(path), p.name+"-build-")
	if err != nil {
		return fmt.Errorf("build %s: %w", p.name, err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	for name, body := range map[string][]byte{"go.mod": p.mod, "go.sum": p.sum} {
		if err := os.WriteFile(filepath.Join(dir, name), body, 0o600); err != nil {
			return fmt.Errorf("build %s: %w", p.name, err)
		}
	}
	built := filepath.Join(dir, p.name)
	// This is not the context of a test, since other tests wait for this build.
	cmd := exec.CommandContext(context.Background(), "go", "build", "-mod=readonly", "-trimpath", "-ldflags=-s -w",
		"-o", built, string(tool[1]))
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=") // flags of the tests, such as -race, are not for it
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s (%s): %w\n%s", p.name, cmd, err, out)
	}
	return os.Rename(built, path)
}
