package format_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/sinktest"
	"github.com/houndtrail/houndtrail/sink/webhook/format"
)

// The tests of this file check that every format of the table keeps the contract. The tests of one format are in another file.

var update = flag.Bool("update", false, "rewrite golden files")

const tenant = "acme"

// each runs a test for every format of the table.
func each(t *testing.T, test func(*testing.T, string, format.Format)) {
	t.Parallel()
	for _, name := range format.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, name, build(t, name, format.Options{}))
		})
	}
}

func build(tb testing.TB, name string, o format.Options) format.Format {
	tb.Helper()
	o.Tenant = tenant
	if o.Compression == "" {
		o.Compression = ndjson.Gzip
	}
	f, err := format.New(name, o)
	if err != nil {
		tb.Fatal(err)
	}
	return f
}

func golden(t *testing.T, name, file, got string) {
	t.Helper()
	path := filepath.Join("testdata", name, file)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s is stale; run go test ./sink/webhook/format -update (-file +now):\n%s", path, diff)
	}
}

// live is the walk that continues at the position.
var live = format.Walk{}

// body returns the body of a batch.
func body(f format.Format, w format.Walk, rs ...record.Record) []byte {
	frame := f.Frame(w)
	all := []byte(frame.Open)
	for i := range rs {
		if i > 0 {
			all = append(all, frame.Between...)
		}
		all = f.Append(all, &rs[i])
	}
	return append(all, frame.Close...)
}

// TestBody holds the bytes of a batch. TestWrite has the records that are too long for a golden file.
func TestBody(t *testing.T) {
	each(t, func(t *testing.T, name string, f format.Format) {
		short := slices.DeleteFunc(sinktest.Corners(t), func(r record.Record) bool { return len(r.Raw) >= 1000 })
		golden(t, name, "body.golden", string(body(f, live, short...)))
		golden(t, name, "rescan.golden", string(body(f, format.Walk{Pass: 7}, short[2:4]...)))
		if f.ContentType() == "" || f.Credential() == "" {
			t.Error("no Content-Type, or no header for the credential")
		}
	})
}

// TestWrite: Write and Append give the same bytes for long and short records. Append does not change earlier bytes. If Houndtrail
// sends a batch again, the batch has the same body.
func TestWrite(t *testing.T) {
	each(t, func(t *testing.T, name string, f format.Format) {
		for _, r := range sinktest.Corners(t) {
			want := f.Append(nil, &r)
			var got bytes.Buffer
			n, err := f.Write(&got, &r)
			if err != nil || n != got.Len() {
				t.Errorf("record %d: Write says %d, %v after %d bytes", r.ID, n, err, got.Len())
			}
			if !bytes.Equal(got.Bytes(), want) {
				t.Errorf("record %d: Write writes %.200q, Append appends %.200q", r.ID, got.Bytes(), want)
			}
			if again := build(t, name, format.Options{}).Append([]byte("before"), &r); string(again) != "before"+string(want) {
				t.Errorf("record %d: %.200q at first, and then %.200q", r.ID, want, again)
			}
			if _, err := f.Write(broken{}, &r); err == nil {
				t.Errorf("record %d: Write keeps an error to itself", r.ID)
			}
		}
	})
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestLimits(t *testing.T) {
	each(t, func(t *testing.T, _ string, f format.Format) {
		if l := f.Limits(); l.Records < 1 || l.Bytes < 1 || l.Alone < 1 || l.Answer < 1<<10 {
			t.Errorf("limits %+v", l)
		}
	})
}

// TestAppendAllocatesNothing: if the buffer is large enough, a record needs no allocation.
func TestAppendAllocatesNothing(t *testing.T) {
	for _, name := range format.Names() {
		f := build(t, name, format.Options{})
		r := sinktest.Corners(t)[2]
		buffer := f.Append(nil, &r)
		if n := testing.AllocsPerRun(100, func() { buffer = f.Append(buffer[:0], &r) }); n > 0 {
			t.Errorf("%s: %v allocations a record", name, n)
		}
	}
}

// two is a batch of two records.
var two = format.Batch{ID: "7ab134766d8b2d1ad907315a1bd4b835", Records: 2, Bytes: 800}

const page = "<!DOCTYPE html><html><head><title>Sign in</title></head></html>"

// answer returns an answer in the form in which package webhook gives it to a format. It marks quoted texts.
func answer(status int, contentType, body string) format.Answer {
	return format.Answer{
		Status: status, ContentType: contentType, Body: []byte(body),
		Quote: func(text string) string { return "<" + strings.ToUpper(text) + ">" },
	}
}

func class(c format.Class) string {
	return map[format.Class]string{
		format.Stop: "stop", format.OK: "ok", format.Retry: "retry", format.Unexpected: "unexpected", format.Split: "split",
		format.Pending: "pending", format.Narrow: "narrow",
	}[c]
}

// TestAnswers holds the verdict of each format on answers that any server gives.
func TestAnswers(t *testing.T) {
	each(t, func(t *testing.T, name string, f format.Format) {
		var b strings.Builder
		tell := func(what string, a format.Answer) {
			v := f.Read(a, two)
			fmt.Fprintf(&b, "%d %s-> %s\n", a.Status, what, class(v.Class))
			for _, text := range []string{v.Why, v.Advice} {
				if text != "" {
					fmt.Fprintf(&b, "\t%s\n", text)
				}
			}
		}
		for _, status := range []int{
			101, 200, 201, 202, 204, 205, 206, 260, 400, 401, 402, 403, 404, 405, 406, 408, 409, 410, 411, 413, 414, 415, 421, 422, 425, 429, 499,
			500, 501, 502, 503, 504, 505, 507, 599, 600,
		} {
			tell("", answer(status, "", ""))
		}
		for _, status := range []int{200, 204, 205, 503} {
			tell("with a page ", answer(status, "text/html; charset=utf-8", page))
		}
		tell("with a page as text ", answer(200, "text/plain", page))
		tell("with a page that is empty ", answer(200, "text/html", ""))
		tell("with text ", answer(200, "text/plain", "ok"))
		tell("with JSON ", answer(200, "application/json", `{"text":"Success","code":0}`))
		tell("with an empty object ", answer(202, "application/json", `{}`))
		tell("with JSON cut off ", answer(200, "application/json", `{"text":"Succ`))
		golden(t, name, "answers.golden", b.String())
	})
}

// TestReadIsSafe: of all answers, only a success acknowledges. A web page acknowledges only with a status that has no body. The
// same answer gives the same verdict. No text of the answer gets into an error unless it went through Quote.
func TestReadIsSafe(t *testing.T) {
	each(t, func(t *testing.T, _ string, f format.Format) {
		rapid.Check(t, func(t *rapid.T) {
			status := rapid.OneOf(rapid.IntRange(100, 699), rapid.SampledFrom([]int{200, 202, 204, 400, 413, 429, 503})).Draw(t, "status")
			body := rapid.SampledFrom([]string{
				"", page, "planted", `{"text":"planted","code":6,"invalid-event-number":0}`, `{"errors":true,"items":[{"create":{"status":400}}]}`,
				`{"code":99}`, `[]`, `{"code":"planted"`, "<html><title>planted</title>",
			}).Draw(t, "body")
			kind := rapid.SampledFrom([]string{"", "text/html", "application/json", "text/plain; charset", "\x00planted"}).Draw(t, "type")
			v := f.Read(answer(status, kind, body), two)
			if again := f.Read(answer(status, kind, body), two); !reflect.DeepEqual(again, v) {
				t.Fatalf("%+v at first, and then %+v", v, again)
			}
			if class(v.Class) == "" {
				t.Fatalf("class %d", v.Class)
			}
			if v.Class == format.OK && status/100 != 2 {
				t.Fatalf("a status of %d acknowledges", status)
			}
			if v.Class == format.OK && strings.HasPrefix(body, "<") && status != 204 && status != 205 {
				t.Fatalf("a page with status %d acknowledges", status)
			}
			if v.Class == format.Unexpected && (v.Why == "" || status/100 != 2) {
				t.Fatalf("status %d is unexpected since %q", status, v.Why)
			}
			if strings.Contains(v.Why+v.Advice, "planted") {
				t.Fatalf("the verdict quotes the answer, not shown by Quote: %+v", v)
			}
		})
	})
}

// TestNew: the table has each name once. The error about an unknown name lists the known ones.
func TestNew(t *testing.T) {
	t.Parallel()
	_, err := format.New("no such", format.Options{})
	if err == nil {
		t.Fatal("no error")
	}
	seen := map[string]bool{}
	for _, name := range format.Names() {
		if seen[name] || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is there twice, or not in %q", name, err)
		}
		seen[name] = true
	}
}

// Every format sends an event that is no record as a whole, in a body without records.
func TestEvents(t *testing.T) {
	each(t, func(t *testing.T, name string, f format.Format) {
		frame := f.Frame(format.Walk{Events: true})
		all := []byte(frame.Open)
		for i, event := range []string{
			`{"type":"houndtrail.head","event_id":"o/1","size":1,"head":"a\nb\u2014","cursor":"2026-03-01T16:00:00Z"}`,
			`{"type":"houndtrail.head","event_id":"o/2","size":2,"head":"a\nb\u2014","cursor":"2026-03-01T16:00:00Z"}`,
			`{"type":"houndtrail.alarm","event_id":"o/3","tenant":"acme","alarm":"hole","total":1,"text":"a \"b\"","at":"2026-03-01T16:00:01Z"}`,
			`{"type":"houndtrail.test","event_id":"o/4","tenant":"acme","created_at":"2026-03-01T16:00:02Z"}`, // the one of doctor
		} {
			if i > 0 {
				all = append(all, frame.Between...)
			}
			before := string(all)
			all = f.AppendEvent(all, []byte(event))
			if !strings.HasPrefix(string(all), before) {
				t.Error("what was there before the event was changed")
			}
		}
		golden(t, name, "events", string(append(all, frame.Close...)))
	})
}
