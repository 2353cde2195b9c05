package transport_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/houndtrail/houndtrail/exporter/transport"
)

func TestCheckProxy(t *testing.T) {
	t.Parallel()
	for _, good := range []string{
		"http://proxy:3128", "http://proxy:3128/", "https://proxy", "proxy:3128", "proxy", "10.0.0.1:3128", "[::1]:3128",
		"http://user:pass@proxy:3128", "user:pass@proxy:3128", "socks5://proxy:1080", "socks5h://proxy:1080",
	} {
		if err := transport.CheckProxy(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{
		"http://user:SECRET/x@proxy:3128", "http://user:SECRET%zz@proxy", `"http://SECRET:3128"`, "http:// SECRET", "http://", "http://:3128",
		"ftp://SECRET:21", "socks4://SECRET", "http//SECRET:3128", "http://SECRET:port", "http://SECRET:99999", "http://SECRET/path",
		"http://proxy?SECRET", "http://proxy#SECRET", "proxy:3128,SECRET", "\x01",
	} {
		err := transport.CheckProxy(bad)
		if err == nil {
			t.Errorf("%q is taken for a proxy", bad)
		} else if strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%v", err)
		}
	}
}

// The error of a proxy's answer to CONNECT keeps the answer's status.
func TestProxyAnswer(t *testing.T) {
	t.Parallel()
	for status, final := range map[int]bool{407: true, 403: true, 429: false, 502: false, 504: false} {
		proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		t.Cleanup(proxy.Close)
		address, err := url.Parse(proxy.URL)
		if err != nil {
			t.Fatal(err)
		}
		_, err = do(t.Context(), &http.Transport{
			Proxy: http.ProxyURL(address), OnProxyConnectResponse: transport.ProxyAnswer,
		}, "https://server.invalid", nil)
		refused, ok := errors.AsType[*transport.ProxyError](err)
		if !ok || refused.Status != status || refused.Final() != final {
			t.Errorf("%d: %v", status, err)
		}
		if strings.Contains(err.Error(), transport.ProxyAdvice) != (status == 407) {
			t.Errorf("%d: %v", status, err)
		}
	}
}
