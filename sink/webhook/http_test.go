package webhook_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/sinktest"
	"github.com/houndtrail/houndtrail/sink/webhook"
)

// TestRequest holds everything that the sink sends to a receiver.
func TestRequest(t *testing.T) {
	t.Parallel()
	for _, compression := range []ndjson.Compression{ndjson.Gzip, ndjson.Zstd, ndjson.None} {
		t.Run(string(compression), func(t *testing.T) {
			t.Parallel()
			var got post
			var method string
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				method = r.Method
				var err error
				if got, err = readPost(r); err != nil {
					t.Error(err)
				}
			}))
			defer srv.Close()
			s := newSink(t, webhook.Options{
				URL: srv.URL + "/insert/jsonline?_time_field=created_at&_msg_field=action", Compression: compression,
				Authorization: func() (string, error) { return "Bearer abc", nil },
				Headers:       headers(http.Header{"x-index": {"audit", "second"}}), Version: "1.2.3",
			})
			rs := records(t, 3)
			receipt, err := sinktest.Write(t.Context(), s, windowOf(rs), rs)
			if err != nil {
				t.Fatal(err)
			}
			if method != http.MethodPost || got.url != "/insert/jsonline?_time_field=created_at&_msg_field=action" {
				t.Errorf("%s %s", method, got.url)
			}
			if !bytes.Equal(got.body, lines(rs)) {
				t.Errorf("body %s", got.body)
			}
			encoding := map[ndjson.Compression]string{ndjson.Gzip: "gzip", ndjson.Zstd: "zstd"}[compression]
			for name, want := range map[string]string{
				"Content-Type": "application/x-ndjson", "Content-Encoding": encoding, "Authorization": "Bearer abc",
				"User-Agent": "houndtrail/1.2.3", "X-Index": "audit,second",
				"Idempotency-Key": strings.TrimPrefix(receipt.Objects[0].Key, "batch/"),
			} {
				if value := strings.Join(got.header.Values(name), ","); value != want {
					t.Errorf("%s is %q, want %q", name, value, want)
				}
			}
		})
	}
}

func TestHeadersMayReplaceTheContentType(t *testing.T) {
	t.Parallel()
	rc := &receiver{}
	_, err := write(t.Context(), t, rc, webhook.Options{Headers: headers(http.Header{"content-type": {"application/json"}})})
	if err != nil {
		t.Fatal(err)
	}
	if values := rc.posts[0].header.Values("Content-Type"); len(values) != 1 || values[0] != "application/json" {
		t.Errorf("Content-Type %q", values)
	}
	if values := rc.posts[0].header.Values("Authorization"); values != nil {
		t.Errorf("Authorization %q without one being set", values)
	}
}

// TestFinalAnswers holds the errors that people read.
func TestFinalAnswers(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		answer reply
		says   []string
	}{
		"bad request": {
			answer(400, "\r\n  cannot parse line 3:\tno\x00 time\x1b[31m  \nsecond line"),
			[]string{"400 Bad Request", `"cannot parse line 3: no time[31m"`, "takes NDJSON", "event acme/1/1772323200000000 of "},
		},
		"bad request, long":     {answer(400, strings.Repeat("é", 500)), []string{`"` + strings.Repeat("é", 200) + `..."`}},
		"bad request, no UTF-8": {answer(400, "bad \xff\xfe byte"), []string{`"bad byte"`}},
		"unprocessable":         {answer(422, "no field host"), []string{"422", `"no field host"`, "NDJSON"}},
		"web page":              {answer(404, "<html><p>x</html>"), []string{"answered 404 Not Found: nothing takes"}},
		"no credentials":        {answer(401), []string{"401 Unauthorized", "HOUNDTRAIL_WEBHOOK_AUTHORIZATION"}},
		"no permission":         {answer(403), []string{"403 Forbidden", "HOUNDTRAIL_WEBHOOK_AUTHORIZATION"}},
		"wrong path":            {answer(404), []string{"404 Not Found", "HOUNDTRAIL_WEBHOOK_URL"}},
		"wrong method":          {answer(405), []string{"405 Method Not Allowed", "HOUNDTRAIL_WEBHOOK_URL"}},
		"gone":                  {answer(410), []string{"410 Gone", "HOUNDTRAIL_WEBHOOK_URL"}},
		"proxy":                 {answer(407), []string{"407 Proxy", "HTTPS_PROXY"}},
		"one record too large":  {answer(413), []string{"413 Request Entity Too Large", "one record", "event acme/1/1772323200000000 of "}},
		"media type":            {answer(415), []string{"415", "HOUNDTRAIL_WEBHOOK_COMPRESSION=none"}},
		"media type, of zstd":   {answer(415), []string{"415", "set HOUNDTRAIL_WEBHOOK_COMPRESSION=gzip"}},
		"bad request, of zstd":  {answer(400), []string{"takes NDJSON in zstd, or set HOUNDTRAIL_WEBHOOK_COMPRESSION=gzip"}},
		"other":                 {answer(418), []string{"418 I'm a teapot"}},
		"unknown status":        {answer(499), []string{"answered 499"}},
		"redirect": {
			answer(308, "Location: https://other.example/login?session=dontshow"),
			[]string{"308 Permanent Redirect", "redirects to https://other.example are not followed", "HOUNDTRAIL_WEBHOOK_URL"},
		},
		"redirect to nowhere": {answer(302), []string{"302 Found", "redirects are not followed"}},
		"redirect to rubbish": {answer(302, "Location: http://a b:%zz"), []string{"redirects are not followed"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rc := &receiver{answer: script(test.answer)}
			o := webhook.Options{}
			if strings.HasSuffix(name, "zstd") {
				o.Compression = ndjson.Zstd
			}
			_, err := write(t.Context(), t, rc, o)
			wants(t, err, test.says...)
			if strings.Contains(err.Error(), "gave up") {
				t.Errorf("error %q speaks of retries", err)
			}
			var status *webhook.StatusError
			if !errors.As(err, &status) || status.Status != test.answer.status {
				t.Errorf("error %v carries no StatusError %d", err, test.answer.status)
			}
			if strings.ContainsAny(err.Error(), "\r\n\x00\x1b") {
				t.Errorf("error %q has control characters", err)
			}
		})
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	var strayed atomic.Bool
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { strayed.Store(true) }))
	defer other.Close()
	srv := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer srv.Close()
	rs := records(t, 1)
	_, err := sinktest.Write(t.Context(), newSink(t, webhook.Options{URL: srv.URL}), windowOf(rs), rs)
	wants(t, err, "redirects to "+other.URL)
	if strayed.Load() {
		t.Error("the records went to an address that is not configured")
	}
}

// If the receiver reads the batch and dies before it answers, the sink sends the batch again, with the same id and body.
func TestCutConnection(t *testing.T) {
	t.Parallel()
	posts := make(chan post, 10)
	var served atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, err := readPost(r)
		if err != nil {
			t.Error(err)
		}
		posts <- p
		switch served.Add(1) {
		case 1:
			panic(http.ErrAbortHandler)
		case 2: // half an answer
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.WriteString(conn, "HTTP/1.1 200")
			_ = conn.Close()
		}
	}))
	defer srv.Close()
	rs := records(t, 500)
	if _, err := sinktest.Write(t.Context(), newSink(t, webhook.Options{URL: srv.URL}), windowOf(rs), rs); err != nil {
		t.Fatal(err)
	}
	close(posts)
	n := 0
	for p := range posts {
		n++
		if !bytes.Equal(p.body, lines(rs)) {
			t.Errorf("attempt %d sent %d bytes, want %d", n, len(p.body), len(lines(rs)))
		}
	}
	if n < 3 {
		t.Errorf("%d attempts, want at least 3", n)
	}
}

// An answer without an end must not delay the sink: the status is enough, and the sink does not read the rest.
func TestEndlessAnswer(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		chunk := bytes.Repeat([]byte("ok "), 10_000)
		for {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}))
	defer srv.Close()
	rs := records(t, 30)
	receipt, err := sinktest.Write(t.Context(), newSink(t, webhook.Options{URL: srv.URL, BatchRecords: 10}), windowOf(rs), rs)
	if err != nil || len(receipt.Objects) != 3 {
		t.Errorf("receipt of %d batches, error %v", len(receipt.Objects), err)
	}
}
