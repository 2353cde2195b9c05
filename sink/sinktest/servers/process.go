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

// startTimeout bounds how long a server may take to answer; on a busy machine that is more than its usual second.
const startTimeout = 30 * time.Second

// start runs the program until the test ends and returns its address, host:port, once GET health answers 200.
//
// The port was free a moment before, but another process may take it first: then the program stops at once, and
// another port is tried.
func start(t testing.TB, p *program, health string, args func(addr string) []string) string {
	t.Helper()
	path := p.path(t)
	log, err := os.Create(filepath.Join(t.TempDir(), p.name+".log"))
	if err != nil {
		t.Fatalf("start %s: %v", p.name, err)
	}
	t.Cleanup(func() {
		if out, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("log of %s:\n%s", p.name, out)
		}
		log.Close()
	})
	for range 3 {
		var addr string
		if addr, err = freeAddr(); err != nil {
			break
		}
		cmd := exec.Command(path, args(addr)...)
		cmd.Stdout, cmd.Stderr = log, log
		cmd.SysProcAttr = dieWithTest()
		if err = cmd.Start(); err != nil {
			break
		}
		gone := make(chan struct{})
		go func() { _ = cmd.Wait(); close(gone) }()
		t.Cleanup(func() { _ = cmd.Process.Kill(); <-gone })
		if err = awaitHealthy("http://"+addr+health, gone); err == nil {
			return addr
		}
	}
	t.Fatalf("start %s: %v", p.name, err)
	return ""
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// awaitHealthy asks until the server says 200, it is gone, or the time is up.
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
