package webhook_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/houndtrail/houndtrail/sink/sinktest"
	"github.com/houndtrail/houndtrail/sink/webhook"
	"github.com/houndtrail/houndtrail/sink/webhook/format"
)

func TestNewRejects(t *testing.T) {
	t.Parallel()
	header := func(name, value string) func(*webhook.Options) {
		return func(o *webhook.Options) { o.Headers = headers(http.Header{name: {value}}) }
	}
	address := func(u string) func(*webhook.Options) { return func(o *webhook.Options) { o.URL = u } }
	const auth, compression = "HOUNDTRAIL_WEBHOOK_AUTHORIZATION", "HOUNDTRAIL_WEBHOOK_COMPRESSION"
	tests := map[string]struct {
		change func(*webhook.Options)
		says   []string
	}{
		"no URL":            {address(""), []string{"HOUNDTRAIL_WEBHOOK_URL", "empty"}},
		"no scheme":         {address("siem.example/SECRET"), []string{"HOUNDTRAIL_WEBHOOK_URL", "https://host/path"}},
		"another scheme":    {address("ftp://siem.example/SECRET"), []string{"HOUNDTRAIL_WEBHOOK_URL", "https://host/path"}},
		"no host":           {address("https:///SECRET"), []string{"HOUNDTRAIL_WEBHOOK_URL", "https://host/path"}},
		"port only":         {address("https://:443/SECRET"), []string{"HOUNDTRAIL_WEBHOOK_URL", "https://host/path"}},
		"broken escape":     {address("https://siem.example/SECRET%zz"), []string{"HOUNDTRAIL_WEBHOOK_URL"}},
		"slash in password": {address("https://me:SECRET/x@siem.example/"), []string{"HOUNDTRAIL_WEBHOOK_URL"}},
		"password":          {address("https://me:SECRET@siem.example/"), []string{"for siem.example ", auth}},
		"user":              {address("https://SECRET@siem.example/"), []string{"for siem.example ", auth}},
		"fragment":          {address("https://siem.example/in#SECRET"), []string{"siem.example", "%23"}},
		"no tenant":         {func(o *webhook.Options) { o.Tenant = "" }, []string{"HOUNDTRAIL_TENANT"}},
		"negative records":  {func(o *webhook.Options) { o.BatchRecords = -1 }, []string{"HOUNDTRAIL_WEBHOOK_BATCH_RECORDS"}},
		"negative bytes":    {func(o *webhook.Options) { o.BatchBytes = -1 }, []string{"HOUNDTRAIL_WEBHOOK_BATCH_BYTES"}},
		"negative flights":  {func(o *webhook.Options) { o.InFlight = -1 }, []string{"HOUNDTRAIL_WEBHOOK_IN_FLIGHT"}},
		"negative timeout":  {func(o *webhook.Options) { o.Timeout = -1 }, []string{"HOUNDTRAIL_WEBHOOK_TIMEOUT"}},
		"negative retries":  {func(o *webhook.Options) { o.RetryFor = -1 }, []string{"retries"}},
		"compression":       {func(o *webhook.Options) { o.Compression = "br" }, []string{compression, "gzip, zstd or none"}},
		"authorization":     {header("authorization", "SECRET"), []string{auth}},
		"reserved header":   {header("content-length", "1"), []string{"HOUNDTRAIL_WEBHOOK_HEADERS", "Content-Length"}},
		"host header":       {header("Host", "other.example"), []string{"HOUNDTRAIL_WEBHOOK_HEADERS", "Host"}},
		"batch's header":    {header("idempotency-key", "SECRET"), []string{"HOUNDTRAIL_WEBHOOK_HEADERS", "Idempotency-Key"}},
		"format":            {func(o *webhook.Options) { o.Format = "syslog" }, []string{"HOUNDTRAIL_WEBHOOK_FORMAT", `"syslog"`, "use ndjson"}},
		"header name":       {header("X Key", "SECRET"), []string{"HOUNDTRAIL_WEBHOOK_HEADERS", "name"}},
		"no header name":    {header("", "SECRET"), []string{"HOUNDTRAIL_WEBHOOK_HEADERS"}},
		"header value":      {header("X-Key", "SECRET\r\nX: y"), []string{"HOUNDTRAIL_WEBHOOK_HEADERS", "line break"}},
		"all at once": {func(o *webhook.Options) { *o = webhook.Options{BatchBytes: -1, Compression: "br"} }, []string{
			"HOUNDTRAIL_WEBHOOK_URL", "HOUNDTRAIL_TENANT", "HOUNDTRAIL_WEBHOOK_BATCH_BYTES", compression,
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := webhook.Options{URL: "https://siem.example/", Tenant: tenant}
			test.change(&o)
			s, err := webhook.New(o)
			wants(t, err, test.says...)
			if s != nil || strings.Contains(err.Error(), "SECRET") {
				t.Errorf("sink %v, error %v", s, err)
			}
		})
	}
}

// If the options do not limit a batch, the format does.
func TestLimitsOfTheFormat(t *testing.T) {
	t.Parallel()
	f, err := format.New(format.NDJSON, format.Options{})
	if err != nil {
		t.Fatal(err)
	}
	limits := f.Limits()
	for name, test := range map[string]struct {
		n, padding, batches int
	}{
		"records": {2*limits.Records + 1, 0, 3},
		"bytes":   {12, limits.Bytes / 5, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rs := records(t, test.n)
			for i := range rs {
				rs[i].Raw = strings.Replace(rs[i].Raw, `{`, `{"padding":"`+strings.Repeat("x", test.padding)+`",`, 1)
			}
			rc := &receiver{}
			if _, err := sinktest.Write(t.Context(), newSink(t, webhook.Options{Transport: rc}), windowOf(rs), rs); err != nil {
				t.Fatal(err)
			}
			if len(rc.posts) != test.batches {
				t.Errorf("%d batches, want %d", len(rc.posts), test.batches)
			}
		})
	}
}
