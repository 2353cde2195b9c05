package config_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/houndtrail/houndtrail/config"
)

// TestProxies: commands that connect refuse a proxy that Go would ignore. The error has its variable's name, and not its
// password.
func TestProxies(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		proxies []string
		names   []string
	}{
		{[]string{"HTTPS_PROXY=http://u:SECRET@proxy:3128", "HTTP_PROXY=proxy:3128", "NO_PROXY=x y"}, nil},
		{[]string{"HTTPS_PROXY=", "https_proxy=", "HTTP_PROXY="}, nil},
		{[]string{"HTTPS_PROXY=http://u:SECRET@prox y:3128"}, []string{"HTTPS_PROXY"}},
		{[]string{"https_proxy=http://u:SECRET%zz@proxy"}, []string{"https_proxy"}},
		{[]string{"HTTPS_PROXY=", `https_proxy="http://SECRET:3128"`}, []string{"https_proxy"}},
		{[]string{"HTTPS_PROXY=http://proxy", "https_proxy=SECRET/x"}, nil}, // the first variable counts
		{[]string{"http_proxy=ftp://SECRET", "HTTPS_PROXY=SECRET:port"}, []string{"http_proxy", "HTTPS_PROXY"}},
	} {
		environ := append(minimal(), test.proxies...)
		got := problems(t, environ, config.NeedExport)
		var names []string
		for line := range strings.Lines(got) {
			name, rest, _ := strings.Cut(line, ": ")
			names = append(names, name)
			if !strings.Contains(rest, "not the address of a proxy") {
				t.Errorf("%q: %s", test.proxies, line)
			}
		}
		if !slices.Equal(names, test.names) || strings.Contains(got, "SECRET") {
			t.Errorf("%q:\n%s", test.proxies, got)
		}
		if got := problems(t, environ, config.NeedTenant|config.NeedArchive); got != "" {
			t.Errorf("%q, without any connection:\n%s", test.proxies, got)
		}
	}
}
