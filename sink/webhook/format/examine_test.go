package format_test

import (
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"

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
		if to := build(t, test.name, format.Options{}).Question(u); to != nil {
			got = to.String()
		}
		if got != test.want {
			t.Errorf("%s at %s is asked at %q, want %q", test.name, test.address, got, test.want)
		}
	}
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
		got := build(t, test.name, format.Options{}).Examined(answer(test.status, "", test.body))
		if got.Health != test.want || !strings.Contains(strings.ToLower(got.Seen), strings.ToLower(test.seen)) {
			t.Errorf("%s, %d %s: %+v", test.name, test.status, test.body, got)
		}
		if advises := got.Health == format.Doubtful || got.Health == format.Ill; advises != (got.Advice != "") || got.Seen == "" {
			t.Errorf("%s, %d %s: the advice is %q", test.name, test.status, test.body, got.Advice)
		}
	}
}

// TestQuestionIsSafe: the question goes to the receiver of the batches, by the same scheme, since it has their credential. Only Datadog
// has a host of its own for it, of the same site. The question does not change the user's address.
func TestQuestionIsSafe(t *testing.T) {
	each(t, func(t *testing.T, _ string, f format.Format) {
		for _, address := range []string{
			"https://siem.example", "http://siem.example:8088/a?x=1", "https://siem.example/services/collector", "https://user@siem.example/x/_bulk",
			"https://siem.example/loki/api/v1/push/", "https://http-intake.logs.datadoghq.eu/api/v2/logs", "https://http-intake.logs.siem.example:1",
		} {
			u, err := url.Parse(address)
			if err != nil {
				t.Fatal(err)
			}
			to := f.Question(u)
			if u.String() != address {
				t.Errorf("the question changes %s to %s", address, u)
			}
			if to == nil {
				continue
			}
			site := strings.TrimPrefix(u.Host, "http-intake.logs.")
			if to.Scheme != u.Scheme || (to.Host != u.Host && to.Host != "api."+site) {
				t.Errorf("the credential for %s would go to %s", address, to)
			}
		}
	})
}

// TestExaminedIsSafe: a failure never makes a receiver look well. What people should look at has a next step, and nothing else has
// one. No text of the answer gets into a finding unless it went through Quote.
func TestExaminedIsSafe(t *testing.T) {
	each(t, func(t *testing.T, _ string, f format.Format) {
		rapid.Check(t, func(t *rapid.T) {
			a := answer(rapid.OneOf(rapid.IntRange(100, 699), rapid.SampledFrom([]int{200, 401, 403, 404, 503})).Draw(t, "status"), "",
				rapid.SampledFrom([]string{
					"", page, "planted", "ready", `{"valid":true}`, `{"valid":"planted"}`, `{"text":"planted","code":17}`, `{"text":"planted","code":19}`,
					`{"text":"planted","code":4}`, `{"text":"planted","code":99}`, `{"data_streams":[{"name":"planted","template":"planted"}]}`, `[]`,
				}).Draw(t, "body"))
			found := f.Examined(a)
			if again := f.Examined(a); again != found {
				t.Fatalf("%+v at first, and then %+v", found, again)
			}
			if found.Health == format.Well && a.Status/100 != 2 {
				t.Fatalf("it is well with status %d: %+v", a.Status, found)
			}
			advises := found.Health == format.Doubtful || found.Health == format.Ill
			if advises != (found.Advice != "") || found.Seen == "" {
				t.Fatalf("the advice of %+v", found)
			}
			if strings.Contains(found.Seen+found.Advice, "planted") {
				t.Fatalf("the finding quotes the answer, not shown by Quote: %+v", found)
			}
		})
	})
}
