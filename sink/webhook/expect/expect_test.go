package expect_test

import (
	"testing"

	"github.com/houndtrail/houndtrail/sink/webhook/expect"
)

func TestUnmet(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		expect string
		status int
		body   string
		unmet  string
	}{
		{"204", 204, "", ""},
		{"204", 200, "", "its status is not 204"},
		{"200, 202,204", 202, "", ""},
		{"200,204", 260, "", "its status is not 200 or 204"},
		{"json:.text=Success", 200, `{"text":"Success","code":0}`, ""},
		{"json:.text=Success", 200, `{"text":"Success","code":0}` + "\n", ""},
		{"json:.text=Success", 200, `{"text":"Server is busy","code":9}`, "its JSON does not have .text=Success"},
		{"json:.text=Success", 200, `{"text":{"a":"Success"}}`, "its JSON does not have .text=Success"},
		{"json:.text=Success", 200, `{}`, "its JSON does not have .text=Success"},
		{"json:.text=Success", 200, ``, "it is not JSON with .text=Success"},
		{"json:.text=Success", 200, `{"text":"Success"`, "it is not JSON with .text=Success"},
		{"json:.text=Success", 200, `<html>Success</html>`, "it is not JSON with .text=Success"},
		{"json:.text=All is well", 200, `{"text":"All is well"}`, ""},
		{"json:.code=0", 200, `{"code":0}`, ""},
		{"json:.code=0", 200, `{"code":"0"}`, ""},
		{"json:.code=0", 200, `{"code":10}`, "its JSON does not have .code=0"},
		{"json:.errors=false", 200, `{"took":3,"errors":false,"items":[]}`, ""},
		{"json:.errors=false", 200, `{"took":3,"errors":true,"items":[]}`, "its JSON does not have .errors=false"},
		{"json:.errors=null", 200, `{"errors":null}`, ""},
		{"json:.errors=null", 200, `{"error":null}`, "its JSON does not have .errors=null"},
		{"json:.items.1.create.status=201", 200, `{"items":[{},{"create":{"status":201}}]}`, ""},
		{"json:.items.1.create.status=201", 200, `{"items":[{}]}`, "its JSON does not have .items.1.create.status=201"},
		{"json:.items.x=1", 200, `{"items":[1]}`, "its JSON does not have .items.x=1"},
		{"json:.items.-1=1", 200, `{"items":[1]}`, "its JSON does not have .items.-1=1"},
		{"json:.a.b=1", 200, `{"a":1}`, "its JSON does not have .a.b=1"},
		{"200,json:.code=0,json:.text=Success", 200, `{"text":"Success","code":0}`, ""},
		{"200,json:.code=0,json:.text=Success", 200, `{"text":"Failure","code":0}`, "its JSON does not have .text=Success"},
		{"200,json:.code=0,json:.text=Success", 201, `{"text":"Success","code":0}`, "its status is not 200"},
	} {
		e, err := expect.Parse(test.expect)
		if err != nil || e.String() != test.expect {
			t.Errorf("%q: %q, %v", test.expect, e, err)
		}
		if got := e.Unmet(test.status, []byte(test.body)); got != test.unmet {
			t.Errorf("%s of %d %s: %q, want %q", test.expect, test.status, test.body, got, test.unmet)
		}
	}
	if got := (expect.Expectation{}).Unmet(299, nil); got != "" {
		t.Errorf("nothing is expected: %q", got)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		"", "ok", "404", "199", "300", "2xx", "204,", ",204", "204 200", "json", "json:", "json:.", "json:.text", "json:.text=", "json:.=Success",
		"json:text=Success", "json:..text=Success", "json:.a..b=1", "json:.a.=1", "204;json:.a=1", "JSON:.a=1",
	} {
		if e, err := expect.Parse(bad); err == nil {
			t.Errorf("%q is taken for %v", bad, e)
		}
	}
}
