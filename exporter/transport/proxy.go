package transport

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

// ProxyAdvice tells the user what to do if a proxy answers 407.
const ProxyAdvice = "the proxy wants credentials: put them into HTTPS_PROXY (for http addresses into HTTP_PROXY) as " +
	"http://user:password@host:port, or name the host in NO_PROXY to go without the proxy"

// A ProxyError says that a proxy refused to connect to the server.
type ProxyError struct {
	Status int // the HTTP status
}

func (e *ProxyError) Error() string {
	text := fmt.Sprintf("the proxy answered %d %s", e.Status, http.StatusText(e.Status))
	if e.Status == http.StatusProxyAuthRequired {
		text += ": " + ProxyAdvice
	}
	return text
}

// Final tells that the proxy would give the same answer again.
func (e *ProxyError) Final() bool {
	return e.Status/100 == 4 && e.Status != http.StatusRequestTimeout && e.Status != http.StatusTooManyRequests
}

// ProxyAnswer is for OnProxyConnectResponse of [http.Transport]. It turns a refusal into a [*ProxyError]. Without it, net/http
// would only give the refusal's text.
func ProxyAnswer(_ context.Context, _ *url.URL, _ *http.Request, answer *http.Response) error {
	if answer.StatusCode == http.StatusOK {
		return nil
	}
	return &ProxyError{answer.StatusCode}
}

// CheckProxy judges the value of HTTP_PROXY or HTTPS_PROXY. If Go does not understand a value, it ignores it and connects
// directly. The error quotes no part of the value, since that may hold a password.
func CheckProxy(value string) error {
	u, err := url.Parse(value)
	if err != nil || u.Scheme == "" || u.Host == "" {
		u, err = url.Parse("http://" + value) // host:port is valid too
	}
	if err == nil && slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme) && u.Hostname() != "" &&
		(u.Path == "" || u.Path == "/") && u.RawQuery == "" && u.Fragment == "" && isPort(u.Port()) {
		return nil
	}
	return errors.New("not the address of a proxy (not shown, since it may hold a password); want http://host:port, with " +
		"user:password@ in front of the host if the proxy asks for them, or unset it to connect directly")
}

func isPort(text string) bool {
	_, err := strconv.ParseUint("0"+text, 10, 16)
	return err == nil
}
