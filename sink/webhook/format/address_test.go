package format_test

import (
	"bytes"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/houndtrail/houndtrail/sink/sinktest"
	"github.com/houndtrail/houndtrail/sink/webhook/format"
)

// TestAddress: if a user gives only the server, Houndtrail makes the whole address. If a user gives the whole address, Houndtrail
// keeps it. It never loses a part that the user gave.
func TestAddress(t *testing.T) {
	each(t, func(t *testing.T, name string, f format.Format) {
		var b strings.Builder
		for _, given := range []string{
			"https://siem.example", "https://siem.example/", "https://siem.example:8443/base/", "https://siem.example/insert/elasticsearch/_bulk?x=1",
			"https://siem.example/insert/loki/api/v1/push?a=%2F&b", "https://siem.example/api/v2/logs/", "https://siem.example/a%2Fb/my-stream/_bulk?filter_path=errors",
		} {
			u, err := url.Parse(given)
			if err != nil {
				t.Fatal(err)
			}
			got := f.Address(u)
			fmt.Fprintf(&b, "%s\n\t%s\n", given, got)
			if u.String() != given {
				t.Errorf("%s became %s in place", given, u)
			}
			if again := f.Address(got); again.String() != got.String() {
				t.Errorf("%s is completed once more, to %s", got, again)
			}
		}
		golden(t, name, "address.golden", b.String())
	})
}

// If a record is over the limit, the format cuts it, so that the receiver takes it. The cut record says so, and keeps its identity.
func TestLongRecordsAreCut(t *testing.T) {
	t.Parallel()
	for _, name := range format.Names() {
		const limit = 10_000
		f := build(t, name, format.Options{RecordBytes: limit})
		if f.Limits().Record != limit {
			t.Errorf("%s: a limit of %d", name, f.Limits().Record)
		}
		long := sinktest.Parse(t, `{"id":7,"created_at":"2026-01-15T12:34:56.123456Z","action":"MutateGraph","fields":{"query":"`+
			strings.Repeat(`match \"n\" \\ `, 30_000)+`"},"status":"success"}`)
		item := f.Append(nil, &long)
		if len(item) > 2*limit || !bytes.Contains(item, []byte("acme/7/1768480496123456")) || !bytes.Contains(item, []byte("fields_sha256")) {
			t.Errorf("%s: %d bytes: %.300s", name, len(item), item)
		}
		var written bytes.Buffer
		if _, err := f.Write(&written, &long); err != nil || !bytes.Equal(written.Bytes(), item) {
			t.Errorf("%s: Write writes another item: %v", name, err)
		}
	}
}
