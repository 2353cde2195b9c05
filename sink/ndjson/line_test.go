package ndjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/sinktest"
)

func TestAppendLine(t *testing.T) {
	at := time.Date(2026, 3, 1, 0, 0, 0, 123456000, time.UTC)
	const front = `{"event_id":"acme.example/7/1772323200123456","tenant":"acme.example"`
	for name, test := range map[string]struct{ tenant, raw, want string }{
		"as served": {
			"acme.example", `{"id":7,"created_at":"…","fields":{"a": 1,"q":"\u003c\u2028"}}`,
			front + `,"id":7,"created_at":"…","fields":{"a": 1,"q":"\u003c\u2028"}}`,
		},
		"pretty":        {"acme.example", "{\n  \"id\": 7,\r\n  \"s\": \"\\n\"\n}", front + `,"id": 7,    "s": "\n" }`},
		"blanks":        {"acme.example", " {\t\"id\":7}", front + `,"id":7}`},
		"no members":    {"acme.example", `{ }`, front + `}`},
		"served tenant": {"acme.example", `{"tenant":"x","id":7}`, front + `,"tenant":"x","id":7}`},
		"odd tenant":    {"a\"\\\n", `{"id":7}`, `{"event_id":"a\"\\\n/7/1772323200123456","tenant":"a\"\\\n","id":7}`},
		"before 1970":   {"t", `{"id":7}`, `{"event_id":"t/7/-1","tenant":"t","id":7}`},
	} {
		r := record.Record{ID: 7, CreatedAt: at, Raw: test.raw}
		if name == "before 1970" {
			r.CreatedAt = time.UnixMicro(-1)
		}
		if got := string(AppendLine([]byte("before|"), test.tenant, &r)); got != "before|"+test.want+"\n" {
			t.Errorf("%s:\n got %s want %s", name, got, test.want)
		}
	}
}

// TestEventID holds the id by which receivers drop repeated records. The id is the same for every time zone that the server uses.
func TestEventID(t *testing.T) {
	for _, created := range []string{"2026-03-01T00:00:00.1Z", "2026-03-01T02:00:00.100000+02:00"} {
		r := sinktest.Parse(t, `{"id":42,"created_at":"`+created+`"}`)
		if got, want := EventID("acme.example", &r), "acme.example/42/1772323200100000"; got != want {
			t.Errorf("EventID of %s = %s, want %s", created, got, want)
		}
	}
}

// FuzzAppendLine checks what receivers rely on: one valid line, with our two keys and all that the server sent.
func FuzzAppendLine(f *testing.F) {
	for _, r := range sinktest.Corners(f) {
		if len(r.Raw) < 10_000 {
			f.Add("acme.example", r.Raw)
		}
	}
	f.Add("a", "{\"id\":1,\r\"a\":\r\n{}}")
	f.Add("a\"\x00\u2028é", "{\r\n\"id\" : 1 ,\n\"event_id\":\t{}}\n")
	f.Fuzz(func(t *testing.T, tenant, raw string) {
		var served map[string]json.RawMessage
		if json.Unmarshal([]byte(raw), &served) != nil || served == nil {
			return // not an object: the client never makes a record of it
		}
		r := record.Record{ID: 1, CreatedAt: time.Unix(1, 0), Raw: raw}
		line := AppendLine(nil, tenant, &r)
		if bytes.IndexByte(line, '\n') != len(line)-1 || bytes.IndexByte(line, '\r') >= 0 {
			t.Fatalf("not one line: %q", line)
		}
		var got map[string]json.RawMessage
		if err := json.Unmarshal(line, &got); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		want, _ := json.Marshal(tenant)
		for key, ours := range map[string]string{"tenant": string(want), "event_id": string(want[:len(want)-1]) + `/1/1000000"`} {
			if _, theirs := served[key]; !theirs && compact(t, got[key]) != compact(t, []byte(ours)) {
				t.Errorf("%s is %s, want %s", key, got[key], ours)
			}
		}
		for key, value := range served {
			if compact(t, got[key]) != compact(t, value) {
				t.Errorf("%q is %s, was served as %s", key, got[key], value)
			}
		}
	})
}

// compact decodes strings, since the same string can have many spellings, and drops blanks.
func compact(t *testing.T, value []byte) string {
	t.Helper()
	var s string
	if json.Unmarshal(value, &s) == nil {
		return s
	}
	var b bytes.Buffer
	if err := json.Compact(&b, value); err != nil {
		t.Fatalf("%q: %v", value, err)
	}
	return b.String()
}

func TestEncode(t *testing.T) {
	for _, c := range []Compression{Gzip, Zstd} {
		t.Run(string(c), func(t *testing.T) { testEncode(t, c) })
	}
}

func testEncode(t *testing.T, c Compression) {
	t.Helper()
	e := NewEncoder(sinktest.Tenant, c)
	for name, records := range map[string][]record.Record{
		"corners": sinktest.Corners(t), "ordinary": sinktest.Generate(t, 1, 1000, time.Unix(0, 0), time.Second), "none": nil,
	} {
		var file bytes.Buffer
		if err := e.Encode(&file, window.Window{}, records); err != nil {
			t.Fatal(err)
		}
		var want []string
		var ids []int64
		for i := range records {
			want = append(want, string(AppendLine(nil, sinktest.Tenant, &records[i])))
			ids = append(ids, records[i].ID)
		}
		if diff := cmp.Diff(want, sinktest.Lines(t, file.Bytes())); diff != "" {
			t.Errorf("%s (-want +got):\n%.3000s", name, diff)
		}
		got, err := e.IDs(file.Bytes())
		if diff := cmp.Diff(ids, got); diff != "" || err != nil {
			t.Errorf("%s: IDs: %v (-want +got):\n%.3000s", name, err, diff)
		}
		next := 0
		err = ForTenant(sinktest.Tenant).Each(file.Bytes(), func(id int64, createdAt time.Time) error {
			if r := records[next]; id != r.ID || !createdAt.Equal(r.CreatedAt) {
				t.Errorf("%s: record %d is id %d of %v, want id %d of %v", name, next, id, createdAt, r.ID, r.CreatedAt)
			}
			next++
			return nil
		})
		if err != nil || next != len(records) {
			t.Errorf("%s: Each: %v after %d of %d records", name, err, next, len(records))
		}
		var again bytes.Buffer
		if err := e.Encode(&limited{&again, file.Len() - 1}, window.Window{}, records); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("%s: a full disk is %v", name, err)
		}
		again.Reset()
		if err := e.Encode(&again, window.Window{}, records); err != nil || !bytes.Equal(file.Bytes(), again.Bytes()) {
			t.Errorf("%s: the same records give other bytes after an error: %v", name, err)
		}
	}
}

func TestIDsOfGarbage(t *testing.T) {
	for _, c := range []Compression{Gzip, Zstd} {
		t.Run(string(c), func(t *testing.T) { testIDsOfGarbage(t, c) })
	}
}

func testIDsOfGarbage(t *testing.T, c Compression) {
	t.Helper()
	e := NewEncoder(sinktest.Tenant, c)
	encode := func(tenant, raw string) []byte {
		var file bytes.Buffer
		records := []record.Record{{ID: 1, Raw: `{"id":1}`}, {ID: 1, Raw: raw}}
		if err := NewEncoder(tenant, c).Encode(&file, window.Window{}, records); err != nil {
			t.Fatal(err)
		}
		return file.Bytes()
	}
	lines := func(text string) []byte {
		var file bytes.Buffer
		z := c.Writer()
		z.Reset(&file)
		_, err := z.Write([]byte(text))
		if err := errors.Join(err, z.Close()); err != nil {
			t.Fatal(err)
		}
		return file.Bytes()
	}
	whole := encode(sinktest.Tenant, `{"id":1}`)
	const head = `{"event_id":"` + sinktest.Tenant
	const tail = `","tenant":"` + sinktest.Tenant + `"`
	for name, file := range map[string][]byte{
		"empty": nil, "not compressed": []byte(`{"id":1}`), "cut off": whole[:len(whole)/2], "without its sum": whole[:len(whole)-4],
		"more behind it": append(slices.Clone(whole), 'x'), "no JSON": encode(sinktest.Tenant, `{"id":1`),
		"of another tenant": encode("other", `{"id":1}`), "no event id": lines(`{"id":1}` + "\n"),
		"no id": lines(head + "/x/1" + tail + `,"id":1}`), "no instant": lines(head + "/1" + tail + `,"id":1}`),
		"another tenant beside it": lines(head + `/1/1","tenant":"other","id":1}`),
	} {
		if ids, err := e.IDs(file); err == nil {
			t.Errorf("%s: IDs = %v", name, ids)
		}
	}
}

// limited is a disk with room for n more bytes.
type limited struct {
	io.Writer
	n int
}

func (l *limited) Write(b []byte) (int, error) {
	if len(b) > l.n {
		return 0, io.ErrShortWrite
	}
	l.n -= len(b)
	return l.Writer.Write(b)
}

func BenchmarkAppendLine(b *testing.B) {
	form := ForTenant(sinktest.Tenant)
	records := sinktest.Generate(b, 1, 1000, time.Unix(0, 0), time.Second)
	var line []byte
	b.ReportAllocs()
	for b.Loop() {
		for i := range records {
			line = form.Append(line[:0], &records[i])
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(records)), "ns/record")
}

func BenchmarkEncode(b *testing.B) {
	records := sinktest.Generate(b, 1, 10_000, time.Unix(0, 0), time.Second)
	e := NewEncoder(sinktest.Tenant, Gzip)
	b.ReportAllocs()
	for b.Loop() {
		if err := e.Encode(io.Discard, window.Window{}, records); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(records)), "ns/record")
}

// A line gives back the record as the server sent it.
func TestServed(t *testing.T) {
	t.Parallel()
	for _, r := range append(sinktest.Corners(t), record.Record{ID: 1, Raw: "{}"}, record.Record{ID: 1, Raw: `{"tenant":"x","event_id":"y"}`}) {
		line := AppendLine(nil, `ac"me`, &r)
		if got := ForTenant(`ac"me`).Served(line[:len(line)-1]); got != r.Raw {
			t.Errorf("%.200s was %.200s", got, r.Raw)
		}
	}
}
