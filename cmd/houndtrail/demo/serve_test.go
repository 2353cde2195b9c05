package demo_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/demo"
)

// TestServe: the BloodHound answers at the address that is printed, and ends with the context.
func TestServe(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := demo.Serve(ctx, "127.0.0.1:0", demo.Options{Records: 100, Out: in})
		ended <- err
		_ = in.CloseWithError(io.EOF)
	}()
	var url string
	for lines := bufio.NewScanner(out); url == "" && lines.Scan(); {
		url, _ = strings.CutPrefix(lines.Text(), "HOUNDTRAIL_BLOODHOUND_URL=")
		if !strings.HasPrefix(url, "http://") {
			url = ""
		}
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/api/v2/audit", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a token, the BloodHound answers %s", resp.Status)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
