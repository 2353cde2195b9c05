package rest

import (
	"math"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest/resttest"
)

func TestNewChecksItsOptions(t *testing.T) {
	auth := Token(resttest.Token, resttest.Always(resttest.Key))
	base := resttest.MustParse(t, "https://tenant.example")
	pemless := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(pemless, []byte("not a certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		options Options
		says    []string
	}{
		"nothing at all": {Options{}, []string{"URL is missing", "credentials are missing"}},
		"everything wrong": {
			Options{URL: base, Rate: -1, Wait: 1500 * time.Millisecond},
			[]string{"credentials", "rate -1", "wait 1.5s"},
		},
		"rate":   {Options{URL: base, Auth: auth, Rate: math.NaN()}, []string{"rate NaN"}},
		"wait":   {Options{URL: base, Auth: auth, Wait: 31 * time.Second}, []string{"1s to 30s"}},
		"scheme": {Options{URL: resttest.MustParse(t, "ftp://tenant.example"), Auth: auth}, []string{"https://host"}},
		"host":   {Options{URL: resttest.MustParse(t, "https:///x"), Auth: auth}, []string{"https://host"}},
		"opaque": {Options{URL: resttest.MustParse(t, "tenant.example:443"), Auth: auth}, []string{"https://host"}},
		"userinfo": {
			Options{URL: resttest.MustParse(t, "https://u:hunter2@tenant.example"), Auth: auth}, []string{"holds credentials"},
		},
		"query": {Options{URL: resttest.MustParse(t, "https://tenant.example/?a=b"), Auth: auth}, []string{"query or a fragment"}},
		"fragment": {
			Options{URL: &url.URL{Scheme: "https", Host: "h", Fragment: "x"}, Auth: auth}, []string{"query or a fragment"},
		},
		"CA file": {
			Options{URL: base, Auth: auth, CAFile: filepath.Join(t.TempDir(), "none.pem")}, []string{"read the CA file"},
		},
		"no PEM": {Options{URL: base, Auth: auth, CAFile: pemless}, []string{"holds no PEM certificate"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(test.options)
			resttest.WantText(t, err, test.says...)
			if leak := leakOf(err.Error(), []string{":hunter2"}); leak != "" {
				t.Error(leak)
			}
		})
	}
}

func TestNewFillsInTheDefaults(t *testing.T) {
	core, logs := observer.New(zap.WarnLevel)
	c, err := New(Options{
		URL: resttest.MustParse(t, "https://tenant.example/"), Auth: Bearer(resttest.Always("x")), Insecure: true, Log: zap.New(core),
	})
	if err != nil {
		t.Fatal(err)
	}
	o := c.options
	if c.throttle.limiter.Limit() != firstRate || o.Wait != 30*time.Second || o.Retry.Tries != 8 {
		t.Errorf("%+v", o)
	}
	o.Observer.Request("200", 0) // there is no observer, and nothing breaks
	o.Observer.Retry("server")
	if logs.FilterMessageSnippet("TLS verification is off").Len() != 1 {
		t.Error("no warning about Insecure")
	}
	if c, err := New(Options{URL: resttest.MustParse(t, "https://h"), Auth: Bearer(resttest.Always("x"))}); err != nil || c.options.Log == nil {
		t.Error(err)
	}
}
