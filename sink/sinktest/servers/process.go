package servers

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// startTimeout is how long a server may take until it answers. On a busy machine this is much longer than the usual second.
const startTimeout = 5 * time.Minute

// start runs the program until the test ends. It returns the program's address, host:port, after GET health has answered 200.
//
// The port was free a moment before, but another process may take it first. Then the program stops at once, and start tries another
// port.
func start(tb testing.TB, p *program, health string, args func(addr string) []string) string {
	tb.Helper()
	path := p.path(tb)
	var err error
	for range 3 {
		var addr string
		if addr, err = FreeAddr(tb.Context()); err != nil {
			break
		}
		if _, err = launch(tb, addr, health, path, args(addr)...); err == nil {
			return addr
		}
	}
	tb.Fatalf("start %s: %v", p.name, err)
	return ""
}

// launch runs a program at an address until the test ends, or until the caller calls kill. It returns after GET health has answered
// 200.
func launch(tb testing.TB, addr, health, path string, args ...string) (kill func(), err error) {
	tb.Helper()
	log, err := os.Create(filepath.Join(tb.TempDir(), filepath.Base(path)+".log"))
	if err != nil {
		return nil, err
	}
	tb.Cleanup(func() {
		if out, err := os.ReadFile(log.Name()); err == nil && tb.Failed() {
			tb.Logf("log of %s:\n%s", filepath.Base(path), out)
		}
		_ = log.Close()
	})
	// The test's context ends before its clean-ups run. They may still need the server.
	cmd := exec.CommandContext(context.WithoutCancel(tb.Context()), path, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = DieWithTest()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	gone := make(chan struct{})
	go func() { _ = cmd.Wait(); close(gone) }()
	kill = func() { _ = cmd.Process.Kill(); <-gone }
	tb.Cleanup(kill)
	return kill, awaitHealthy("http://"+addr+health, gone)
}

// FreeAddr returns an address of this machine, host:port, that was free a moment ago.
func FreeAddr(ctx context.Context) (string, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// awaitHealthy asks until the server answers 200, or until the server or the time ends.
func awaitHealthy(url string, gone <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-gone:
			return fmt.Errorf("it stopped before it answered at %s", url)
		case <-ctx.Done():
			return fmt.Errorf("no answer at %s within %s", url, startTimeout)
		case <-tick.C:
		}
	}
}
