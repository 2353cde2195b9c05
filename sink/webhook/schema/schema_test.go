package schema_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/webhook/schema"
)

var update = flag.Bool("update", false, "rewrite the golden files and the generated part of the documents")

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s is stale; run go test ./sink/webhook/schema -update (-file +now):\n%s", path, diff)
	}
}

// native has the text with which the record as the server sent it begins, in an event.
var native = map[string]string{schema.ECS: `,"bloodhound":{`, schema.OCSF: `,"unmapped":{`}

// TestEvents holds the events of all actions and statuses, without the record as the server sent it, and those of all shapes.
func TestEvents(t *testing.T) {
	t.Parallel()
	for _, name := range mapped {
		s := build(t, name, schema.Options{})
		var b strings.Builder
		for _, action := range append(known(), unknownActions()...) {
			for _, status := range statuses {
				r := ordinary(action, status).record(t)
				event, _, found := strings.Cut(string(s.Append(nil, &r)), native[name])
				if !found {
					t.Fatalf("%s %s of %s has no native record", action, status, name)
				}
				b.WriteString(event + "}\n")
			}
		}
		golden(t, filepath.Join("testdata", name+"-actions.golden"), b.String())
		b.Reset()
		for _, e := range shapes() {
			r := e.record(t)
			b.Write(s.Append(nil, &r))
		}
		golden(t, filepath.Join("testdata", name+"-shapes.golden"), b.String())
	}
}

// TestNative: the native schema is the line of ndjson, also if the user names no schema.
func TestNative(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", schema.Native} {
		s := build(t, name, schema.Options{TrustedProxies: 1})
		for _, r := range some(t) {
			if got, want := s.Append(nil, &r), ndjson.AppendLine(nil, tenant, &r); !bytes.Equal(got, want) {
				t.Fatalf("%.300s, want %.300s", got, want)
			}
		}
	}
	for _, name := range schema.Names() {
		r := ordinary("CreateUser", "success").record(t)
		line := string(build(t, name, schema.Options{}).Append(nil, &r))
		if !slices.ContainsFunc(schema.Begins(), func(begin string) bool { return strings.HasPrefix(line, begin) }) {
			t.Errorf("%s begins with none of %v", name, schema.Begins())
		}
	}
	if _, err := schema.New("cef", schema.Options{}); err == nil || !strings.Contains(err.Error(), "native, ecs, ocsf") {
		t.Errorf("an unknown schema: %v", err)
	}
}

// TestWrite: Write and Append give the same bytes. Append does not change earlier bytes. The same record gives the same event.
func TestWrite(t *testing.T) {
	t.Parallel()
	for _, name := range mapped {
		s := build(t, name, schema.Options{})
		for _, r := range some(t) {
			want := s.Append(nil, &r)
			var got bytes.Buffer
			if n, err := s.Write(&got, &r); err != nil || n != got.Len() || !bytes.Equal(got.Bytes(), want) {
				t.Fatalf("%s: Write says %d, %v and writes %.300q, Append appends %.300q", name, n, err, got.Bytes(), want)
			}
			if again := build(t, name, schema.Options{}).Append([]byte("before{"), &r); string(again) != "before{"+string(want) {
				t.Fatalf("%s: %.300q at first, and then %.300q", name, want, again)
			}
		}
		r := long(t)
		if _, err := s.Write(broken{}, &r); err == nil {
			t.Errorf("%s: Write keeps an error to itself", name)
		}
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, os.ErrClosed }

// TestMemory: Write never makes a copy of a whole large record. Another value of its fields is long in each turn.
func TestMemory(t *testing.T) { // not parallel: it counts what the process allocates
	for _, key := range []string{"query", "username", "name", "error"} {
		e := ordinary("LoginAttempt", "failure")
		e.fields = `{"` + key + `":"` + strings.Repeat(`long \u00e9\" `, 1<<19) + `"}`
		r := e.record(t)
		for _, name := range mapped {
			s := build(t, name, schema.Options{})
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if n, err := s.Write(io.Discard, &r); err != nil || n < len(r.Raw) {
				t.Fatal(n, err)
			}
			runtime.ReadMemStats(&after)
			if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
				t.Errorf("%s: %d bytes are allocated for a record of %d bytes with a long %s", name, n, len(r.Raw), key)
			}
		}
	}
}

// TestAppendAllocatesNothing: if the buffer is large enough, a record needs no allocation.
func TestAppendAllocatesNothing(t *testing.T) {
	for _, name := range mapped {
		s := build(t, name, schema.Options{})
		for _, action := range []string{"LoginAttempt", "CreateUser", "GET/api/v2/audit"} {
			r := ordinary(action, "success").record(t)
			buffer := s.Append(nil, &r)
			if n := testing.AllocsPerRun(100, func() { buffer = s.Append(buffer[:0], &r) }); n > 0 {
				t.Errorf("%s %s: %v allocations a record", name, action, n)
			}
		}
	}
}

// TestTrustedProxies: each of the user's own proxies moves the source one element to the left, up to the first element.
func TestTrustedProxies(t *testing.T) {
	t.Parallel()
	r := ordinary("LoginAttempt", "success").record(t)
	for trusted, want := range []string{"10.0.0.7", "10.0.0.5", "203.0.113.9", "203.0.113.9", "203.0.113.9"} {
		var ecs struct{ Source struct{ IP string } }
		var ocsf struct {
			SrcEndpoint struct {
				IP              string
				IntermediateIPs []string `json:"intermediate_ips"`
			} `json:"src_endpoint"`
		}
		o := schema.Options{TrustedProxies: trusted}
		for name, event := range map[string]any{schema.ECS: &ecs, schema.OCSF: &ocsf} {
			if err := json.Unmarshal(build(t, name, o).Append(nil, &r), event); err != nil {
				t.Fatal(err)
			}
		}
		if end := ocsf.SrcEndpoint; ecs.Source.IP != want || end.IP != want || len(end.IntermediateIPs) != 2 {
			t.Errorf("behind %d proxies: ECS has %s, OCSF has %+v, want %s", trusted, ecs.Source.IP, end, want)
		}
	}
}

// TestTable: the table has the actions of BloodHound's source, each once. The list beside it comes from there.
func TestTable(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/actions")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for name := range strings.FieldsSeq(string(raw)) {
		listed[name] = true
	}
	seen := map[string]bool{}
	for _, name := range known() {
		if seen[name] || !listed[name] {
			t.Errorf("%s is in the table twice, or not in the list", name)
		}
		seen[name] = true
	}
	if len(seen) != len(listed) || len(listed) != 55 {
		t.Errorf("%d actions in the table, %d in the list", len(seen), len(listed))
	}
}

// TestDocuments: docs/siem-schemas.md has the same table of actions.
func TestDocuments(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("| action | ECS category | ECS type | OCSF class | activity | severity |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, a := range schema.Actions() {
		class := fmt.Sprintf("%d %s", a.Class, a.Class)
		if a.Entity != "" {
			class += " (" + a.Entity + ")"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %d |\n", a.Name, words(a.Categories), words(a.Types), class, a.ActivityName(), a.Severity)
	}
	const page, begin, end = "../../../docs/siem-schemas.md", "<!-- actions:begin -->\n", "<!-- actions:end -->"
	raw, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(raw), begin)
	_, after, ends := strings.Cut(rest, end)
	if !found || !ends {
		t.Fatalf("%s has no block of actions", page)
	}
	golden(t, page, before+begin+"\n"+b.String()+"\n"+end+after)
}

func words(text string) string { return strings.ReplaceAll(text, " ", ", ") }

// BenchmarkAppend measures how many bytes each schema makes of an ordinary record, and how long that takes.
func BenchmarkAppend(b *testing.B) {
	records := generated(b)
	for _, name := range schema.Names() {
		b.Run(name, func(b *testing.B) {
			s := build(b, name, schema.Options{})
			var buffer []byte
			size := 0
			b.ReportAllocs()
			for b.Loop() {
				size = 0
				for i := range records {
					buffer = s.Append(buffer[:0], &records[i])
					size += len(buffer)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(records)), "ns/record")
			b.ReportMetric(float64(size)/float64(len(records)), "B/record")
		})
	}
}
