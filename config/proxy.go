package config

import (
	"slices"
	"strings"

	"github.com/houndtrail/houndtrail/exporter/transport"
)

// A proxy is a variable that names one.
type proxy struct{ name, value string }

// proxies are the variables that count: the ones in capitals and, if these are not set, the others.
func proxies(environ []string) (list []proxy) {
	for _, names := range [][]string{{"HTTP_PROXY", "http_proxy"}, {"HTTPS_PROXY", "https_proxy"}} {
		for _, name := range names {
			i := slices.IndexFunc(environ, func(entry string) bool { return strings.HasPrefix(entry, name+"=") })
			if i >= 0 && environ[i] != name+"=" {
				list = append(list, proxy{name, strings.TrimPrefix(environ[i], name+"=")})
				break
			}
		}
	}
	return list
}

// proxies checks the variables that Go's HTTP clients read by themselves: if a client does not understand a proxy, it ignores
// the proxy and connects directly.
func (l *loader) proxies() {
	if l.need&(NeedSource|NeedLogin|NeedStream|NeedCheckpoint) == 0 {
		return
	}
	for _, p := range l.proxy {
		if err := transport.CheckProxy(p.value); err != nil {
			l.problems = append(l.problems, Problem{p.name, err.Error()})
		}
	}
}
