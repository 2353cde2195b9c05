package format_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/sinktest"
	"github.com/houndtrail/houndtrail/sink/webhook/expect"
	"github.com/houndtrail/houndtrail/sink/webhook/format"
)

// A line in a batch is the same as a line in a file of an archive.
func TestNDJSONIsThatOfFiles(t *testing.T) {
	t.Parallel()
	f := build(t, format.NDJSON, format.Options{})
	for _, r := range sinktest.Corners(t) {
		if got, want := f.Append(nil, &r), ndjson.AppendLine(nil, tenant, &r); !bytes.Equal(got, want) {
			t.Errorf("%.200q, want %.200q", got, want)
		}
	}
}

func TestNDJSONReadsWhatIsExpected(t *testing.T) {
	t.Parallel()
	signOn := "<!DOCTYPE html>\n<html><head><title>Sign in &amp; go</title></head></html>"
	for name, test := range map[string]struct {
		expect string
		answer format.Answer
		class  format.Class
		why    string
	}{
		"page":                   {"", answer(200, "text/html; charset=utf-8", signOn), format.Unexpected, `titled "<SIGN IN & GO>" and`},
		"page by an odd type":    {"", answer(202, "Text/HTML; charset", "ok"), format.Unexpected, "which is an HTML page and"},
		"page of XML":            {"", answer(200, "application/xhtml+xml", "ok"), format.Unexpected, "HTML page"},
		"page after white space": {"", answer(200, "", "\xef\xbb\xbf\r\n <HTML lang=en>"), format.Unexpected, "HTML page"},
		"page after a comment":   {"", answer(201, "", "<!-- portal --><html>"), format.Unexpected, "HTML page"},
		"page far below":         {"", answer(200, "", "<a>"+strings.Repeat(" ", 1<<10)+"<html>"), format.OK, ""},
		"page for no content":    {"", answer(204, "text/html", ""), format.OK, ""},
		"page, not the status":   {"204", answer(200, "text/html", signOn), format.Unexpected, "HTML page"},
		"XML":                    {"", answer(200, "text/xml", `<?xml version="1.0"?><ok/>`), format.OK, ""},
		"about HTML":             {"", answer(200, "", `{"note":"no <html> here"}`), format.OK, ""},
		"status":                 {"204", answer(204, "", ""), format.OK, ""},
		"another status":         {"204", answer(260, "", "blocked"), format.Unexpected, "but its status is not 204"},
		"value":                  {"200,json:.text=Success", answer(200, "", `{"text":"Success","code":0}`), format.OK, ""},
		"value as HTML":          {"json:.text=Success", answer(200, "text/html", `{"text":"Success"}`), format.OK, ""},
		"another value":          {"json:.text=Success", answer(200, "", `{"text":"busy"}`), format.Unexpected, "but its JSON does not have .text=Success"},
		"no value":               {"json:.text=Success", answer(200, "", ""), format.Unexpected, "but it is not JSON with .text=Success"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := format.Options{}
			if test.expect != "" {
				var err error
				if o.Expect, err = expect.Parse(test.expect); err != nil {
					t.Fatal(err)
				}
			}
			v := build(t, format.NDJSON, o).Read(test.answer, two)
			if v.Class != test.class || !strings.Contains(v.Why, test.why) || (v.Why == "") != (test.why == "") {
				t.Errorf("%s, %q", class(v.Class), v.Why)
			}
		})
	}
}

// Houndtrail can compare a value in JSON only if it has read the JSON to its end.
func TestNDJSONReadsLongAnswers(t *testing.T) {
	t.Parallel()
	e, err := expect.Parse("json:.ok=true")
	if err != nil {
		t.Fatal(err)
	}
	short, long := build(t, format.NDJSON, format.Options{}), build(t, format.NDJSON, format.Options{Expect: e})
	if short.Limits().Answer != 64<<10 || long.Limits().Answer != 4<<20 {
		t.Errorf("%d and %d bytes of an answer", short.Limits().Answer, long.Limits().Answer)
	}
}

// Few receivers know zstd.
func TestNDJSONAdviceForZstd(t *testing.T) {
	t.Parallel()
	f := build(t, format.NDJSON, format.Options{Compression: ndjson.Zstd})
	for status, says := range map[int]string{
		400: "takes NDJSON in zstd, or set HOUNDTRAIL_WEBHOOK_COMPRESSION=gzip", 415: "set HOUNDTRAIL_WEBHOOK_COMPRESSION=gzip",
	} {
		if v := f.Read(answer(status, "", ""), two); !strings.Contains(v.Advice, says) {
			t.Errorf("%d: %q", status, v.Advice)
		}
	}
}
