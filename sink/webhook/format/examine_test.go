package format_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/houndtrail/houndtrail/sink/webhook/format"
)

// Each receiver is asked at the place of its documentation, next to the address of the batches, with the user's query.
func TestQuestion(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, address, want string }{
		{format.SplunkHEC, "https://splunk:8088", "https://splunk:8088/services/collector/health"},
		{format.SplunkHEC, "https://proxy/a/services/collector/event?x=1", "https://proxy/a/services/collector/health?x=1"},
		{format.SplunkHEC, "https://logscale/api/v1/ingest/hec", ""},
		{format.ElasticBulk, "https://elastic:9200", "https://elastic:9200/_data_stream/logs-bloodhound.audit-default"},
		{format.ElasticBulk, "https://proxy/a/mine/_bulk", "https://proxy/a/_data_stream/mine"},
		{format.Loki, "https://loki:3100", "https://loki:3100/ready"},
		{format.Loki, "https://proxy/a/loki/api/v1/push", "https://proxy/a/ready"},
		{format.Datadog, "https://http-intake.logs.datadoghq.eu", "https://api.datadoghq.eu/api/v1/validate"},
		{format.Datadog, "https://victorialogs/insert/datadog", ""},
	} {
		u, err := url.Parse(test.address)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if to := examiner(t, test.name).Question(u); to != nil {
			got = to.String()
		}
		if got != test.want {
			t.Errorf("%s at %s is asked at %q, want %q", test.name, test.address, got, test.want)
		}
	}
}

func examiner(t *testing.T, name string) format.Examiner {
	t.Helper()
	e, ok := build(t, name, format.Options{}).(format.Examiner)
	if !ok {
		t.Fatalf("%s cannot be asked", name)
	}
	return e
}

// An answer that the documentation does not have never makes a receiver look well. The receiver's own words are quoted.
func TestExamined(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		status int
		body   string
		want   format.Health
		seen   string
	}{
		{format.SplunkHEC, 200, `{"text":"HEC is healthy","code":17}`, format.Well, "healthy"},
		{format.SplunkHEC, 503, `{"text":"HEC is unhealthy, queues are full","code":18}`, format.Doubtful, "queues are full"},
		{format.SplunkHEC, 503, `{"text":"HEC is unhealthy, ack service unavailable","code":19}`, format.Doubtful, "ack service"},
		{format.SplunkHEC, 403, `{"text":"Invalid token","code":4}`, format.Ill, "Invalid token"},
		{format.SplunkHEC, 400, `{"text":"Invalid token","code":21}`, format.Ill, "Invalid token"},
		{format.SplunkHEC, 403, `{"text":"Token disabled","code":22}`, format.Ill, "disabled"},
		{format.SplunkHEC, 200, `<!doctype html>`, format.Silent, "not one of HEC"},
		{format.SplunkHEC, 200, `{}`, format.Silent, "not one of HEC"},
		{format.SplunkHEC, 503, `{"text":"Server is shutting down","code":23}`, format.Silent, "shutting down"},
		{format.ElasticBulk, 200, `{"data_streams":[{"name":"logs-x","template":"houndtrail"}]}`, format.Well, "<logs-x>, template <houndtrail>"},
		{format.ElasticBulk, 200, `{"data_streams":[]}`, format.Silent, ""},
		{format.ElasticBulk, 200, ``, format.Silent, ""},
		{format.ElasticBulk, 404, `{"error":{}}`, format.Doubtful, "no such data stream"},
		{format.ElasticBulk, 401, ``, format.Ill, "credential"},
		{format.ElasticBulk, 403, `{"error":{}}`, format.Silent, "status 403"},
		{format.Loki, 200, "ready\n", format.Well, "ready"},
		{format.Loki, 200, "<html>", format.Silent, ""},
		{format.Loki, 503, "Ingester not ready: waiting", format.Doubtful, "waiting"},
		{format.Loki, 404, "", format.Silent, ""},
		{format.Datadog, 200, `{"valid":true}`, format.Well, "knows the API key"},
		{format.Datadog, 200, `{"valid":false}`, format.Silent, ""},
		{format.Datadog, 403, `{"errors":["Forbidden"]}`, format.Ill, "does not know the API key"},
		{format.Datadog, 500, ``, format.Silent, ""},
	} {
		got := examiner(t, test.name).Examined(answer(test.status, "", test.body))
		if got.Health != test.want || !strings.Contains(strings.ToLower(got.Seen), strings.ToLower(test.seen)) {
			t.Errorf("%s, %d %s: %+v", test.name, test.status, test.body, got)
		}
		if advises := got.Health == format.Doubtful || got.Health == format.Ill; advises != (got.Advice != "") || got.Seen == "" {
			t.Errorf("%s, %d %s: the advice is %q", test.name, test.status, test.body, got.Advice)
		}
	}
}
