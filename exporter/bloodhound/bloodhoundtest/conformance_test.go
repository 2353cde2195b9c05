package bloodhoundtest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	bt "github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
)

// TestConformance sends the requests that two real servers got to the profiles of these servers.
func TestConformance(t *testing.T) {
	all := exchanges(t)
	for profile, server := range map[bt.Profile]string{bt.Legacy2024: "2024", bt.V84: "2025"} {
		double := doubles(profile)
		for _, e := range all {
			if said, ok := e.answers[server]; ok {
				t.Run(string(profile)+" "+e.request, func(t *testing.T) { conform(t, double(e.request), e.request, said, true) })
			}
		}
	}
}

// TestConformanceOfOtherGenerations holds the profiles that were not measured to the answers in which both servers agree.
func TestConformanceOfOtherGenerations(t *testing.T) {
	all := exchanges(t)
	for _, profile := range []bt.Profile{bt.V7, bt.PR3049} {
		double := doubles(profile)
		withRows := profile != bt.PR3049 // its pages have its own rows too
		for _, e := range all {
			if e.alike() {
				t.Run(string(profile)+" "+e.request, func(t *testing.T) {
					conform(t, double(e.request), e.request, e.answers["2024"], withRows)
				})
			}
		}
	}
}

// doubles are of one profile. All requests that only read share one double; each request that writes rows gets a new one.
func doubles(profile bt.Profile) func(request string) *double {
	fresh := func() *double {
		return newDoubleWith(bt.Options{Profile: profile, Rows: measured(), Now: func() time.Time { return measuredAt }})
	}
	shared := fresh()
	return func(request string) *double {
		if strings.HasPrefix(request, "login") {
			return fresh()
		}
		return shared
	}
}

// conform asks a double and compares its answer with the real server's.
func conform(t *testing.T, d *double, request string, said answer, withRows bool) {
	r, headers := askAgain(t, request)
	w := d.do(r, append([]header{{"Authorization", d.bearer}}, headers...)...)
	body := w.Body.Bytes()
	if w.Header().Get("Content-Encoding") == "gzip" {
		body = gunzip(t, body)
	}
	for _, problem := range []string{
		said.status(w),
		said.headers(w),
		said.body(w, body, r, withRows),
	} {
		if problem != "" {
			t.Errorf("%s\nreal    %s\ndouble  %d %v %.600s\nbut     %s",
				request, said.line, w.Code, told(w), masked(body), problem)
			return
		}
	}
}

func (a answer) status(w *httptest.ResponseRecorder) string {
	if w.Code != a.code {
		return fmt.Sprintf("the status is not %d", a.code)
	}
	return ""
}

// told are the headers that the test compares.
func told(w *httptest.ResponseRecorder) map[string]string {
	all := map[string]string{}
	for _, name := range []string{"Content-Type", "Preference-Applied", "Content-Encoding", "Location"} {
		if value := w.Header().Get(name); value != "" {
			all[name] = value
		}
	}
	if w.Header().Get("Requestid") == "" {
		all["Requestid"] = "no"
	}
	return all
}

func (a answer) headers(w *httptest.ResponseRecorder) string {
	got := told(w)
	for name, want := range map[string]string{
		"Content-Type": map[string]string{
			"page": "application/json", "error": "application/json", "json": "application/json",
			"plain": "text/plain; charset=utf-8", "html": "text/html; charset=utf-8",
		}[a.kind],
		"Preference-Applied": a.details["applied"],
		"Content-Encoding":   a.details["encoding"],
		"Location":           a.details["location"],
		"Requestid":          a.details["requestid"],
	} {
		if got[name] != want {
			return fmt.Sprintf("%s is not %q", name, want)
		}
	}
	return ""
}

func (a answer) body(w *httptest.ResponseRecorder, body []byte, r *http.Request, withRows bool) string {
	switch a.kind {
	case "nothing":
		if len(body) > 0 {
			return "there is a body"
		}
	case "error":
		return a.failure(w, body)
	case "page":
		return a.page(body, r, withRows)
	case "json":
		if got := masked(body); !agree(got, a.text) {
			return "the body is another"
		}
	default:
		if want, err := strconv.Unquote(a.text); err != nil || want != string(body) {
			return "the body is another"
		}
	}
	return ""
}

func (a answer) failure(w *httptest.ResponseRecorder, body []byte) string {
	var e apiError
	if err := json.Unmarshal(body, &e); err != nil || len(e.Errors) != 1 {
		return "the body is no error of the API"
	}
	if e.Status != w.Code || e.RequestID != w.Header().Get("Requestid") || e.Errors[0].Context != "" {
		return "the error does not fit the answer"
	}
	if masked([]byte(e.Errors[0].Message)) != a.text {
		return "the message is another"
	}
	return ""
}

var masks = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d([.,]\d+)?(Z|[+-]\d\d:\d\d)?`), "T"},
	{regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`), "U"},
	{regexp.MustCompile(`eyJ[\w-]+\.[\w-]+\.[\w-]+`), "J"},
	{regexp.MustCompile(`v\d+\.\d+\.\d+`), "V"},
}

// masked replaces the parts that differ each time with letters, and takes out the spaces between the tokens of JSON.
func masked(body []byte) string {
	var compact bytes.Buffer
	if json.Compact(&compact, body) == nil {
		body = compact.Bytes()
	}
	text := string(body)
	for _, m := range masks {
		text = m.pattern.ReplaceAllString(text, m.with)
	}
	return text
}

// agree compares a text with a wanted one, of which the file may have only the beginning.
func agree(got, want string) bool {
	if beginning, cut := strings.CutSuffix(want, "…"); cut {
		return strings.HasPrefix(got, beginning)
	}
	return got == want
}
