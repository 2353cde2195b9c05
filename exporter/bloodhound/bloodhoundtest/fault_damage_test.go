package bloodhoundtest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	bt "github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/faults"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/history"
)

// reply is an answer with the readable part of its body.
type reply struct {
	status int
	length int64 // as declared
	body   []byte
}

// overTheWire serves a double on a socket and asks it as a real client does.
func overTheWire(t *testing.T, d *double) func(ctx context.Context, headers ...header) (reply, error) {
	t.Helper()
	server := httptest.NewServer(d)
	t.Cleanup(server.Close)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return func(ctx context.Context, headers ...header) (reply, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+auditPath, http.NoBody)
		if err != nil {
			return reply{}, err
		}
		r.Header.Set("Authorization", d.bearer)
		for _, h := range headers {
			r.Header.Set(h.name, h.value)
		}
		resp, err := client.Do(r)
		if err != nil {
			return reply{}, err
		}
		defer func() { _ = resp.Body.Close() }()
		body, err := io.ReadAll(resp.Body)
		return reply{status: resp.StatusCode, length: resp.ContentLength, body: body}, err
	}
}

func TestTruncatedGzip(t *testing.T) {
	d := newDouble(bt.V84, history.Rows(history.Options{N: 50, End: noon})...)
	d.Fault(faults.TruncatedGzip())
	got, err := overTheWire(t, d)(t.Context(), header{"Accept-Encoding", "gzip"})
	if err != nil || int64(len(got.body)) != got.length || got.status != http.StatusOK {
		t.Fatalf("HTTP has something to complain about: %v, %d of %d bytes", err, len(got.body), got.length)
	}
	zr, err := gzip.NewReader(bytes.NewReader(got.body))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(zr); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("gzip says %v", err)
	}
}

func TestCut(t *testing.T) {
	d := newDouble(bt.V84, history.Rows(history.Options{N: 50, End: noon})...)
	d.Fault(faults.Cut())
	ask := overTheWire(t, d)
	for _, accept := range []string{"identity", "gzip"} {
		got, err := ask(t.Context(), header{"Accept-Encoding", accept})
		if !errors.Is(err, io.ErrUnexpectedEOF) || len(got.body) == 0 || got.status != http.StatusOK {
			t.Errorf("%s: %d bytes, %v", accept, len(got.body), err)
		}
	}
	for _, r := range d.Requests() {
		if !r.Aborted {
			t.Errorf("the log has %+v", r)
		}
	}
}

func TestTruncatedJSON(t *testing.T) {
	d := newDouble(bt.V84, history.Rows(history.Options{N: 50, End: noon})...)
	whole := d.get(auditPath + "?sort_by=id").Body.String()
	d.Fault(faults.TruncatedJSON())
	if got := d.get(auditPath + "?sort_by=id").Body.String(); got != whole[:len(whole)/2] {
		t.Errorf("got %d bytes of %d", len(got), len(whole))
	}
}

func TestMalformed(t *testing.T) {
	d := newDouble(bt.V84, ago(1*time.Second), ago(2*time.Second), ago(3*time.Second))
	d.Fault(faults.Malformed(`{"id":"two"}`))
	var got struct {
		Data struct {
			Logs []map[string]any `json:"logs"`
		} `json:"data"`
	}
	if err := json.Unmarshal(d.get(auditPath).Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	logs := got.Data.Logs
	if len(logs) != 3 || logs[0]["id"] != 1.0 || logs[1]["id"] != "two" || logs[2]["id"] != 3.0 {
		t.Errorf("got %v", logs)
	}
	w := d.get(auditPath + "?limit=x")
	wantError(t, w, 400, "query parameter")
	if empty := d.page(t, "?before=2020-01-01T00:00:00Z"); len(empty.Data.Logs) != 0 {
		t.Error("an empty page has something in it")
	}
}

func TestRepeat(t *testing.T) {
	d := newDouble(bt.V84, ago(1*time.Second), ago(2*time.Second))
	d.Fault(faults.Repeat())
	wantIDs(t, d.page(t, "?limit=1"), 1)
	wantIDs(t, d.page(t, "?limit=1&skip=1"), 1)
	zip := d.get(auditPath, header{"Accept-Encoding", "gzip"})
	if got := gunzip(t, zip.Body.Bytes()); !strings.Contains(string(got), `"skip":0`) {
		t.Errorf("got %s", got)
	}
}
