package ndjson

import (
	"bytes"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/sinktest"
)

// TestWrite: a line that Write writes in pieces is the same as the one of Append.
func TestWrite(t *testing.T) {
	lines := ForTenant("acme")
	for _, size := range []int{0, 1, piece - 12, piece, piece + 1, 3 * piece} {
		for name, raw := range map[string]string{
			"a text": `{"id":7,"fields":"` + strings.Repeat("x", size) + `"}`,
			"breaks": "{\n" + strings.Repeat("\r\n", size/2) + `"id":7}`,
			"blanks": strings.Repeat(" ", size) + "{}",
		} {
			r := record.Record{ID: 7, CreatedAt: time.UnixMicro(5), Raw: raw}
			var got bytes.Buffer
			n, err := lines.Write(&got, &r)
			if want := lines.Append(nil, &r); err != nil || n != len(want) || !bytes.Equal(got.Bytes(), want) {
				t.Errorf("%s of %d bytes: %d bytes, want %d: %v", name, size, n, len(want), err)
			}
		}
	}
}

// TestLongLinesAreNotCopied: the encoder writes a large record directly into the file, between its neighbours.
func TestLongLinesAreNotCopied(t *testing.T) {
	records := make([]record.Record, 5)
	var want []byte
	for i := range records {
		records[i] = record.Record{ID: int64(i), CreatedAt: time.UnixMicro(int64(i)), Raw: `{"id":1}`}
		if i%2 == 1 {
			records[i].Raw = `{"fields":"` + strings.Repeat("long", 8<<20) + `"}`
		}
		want = AppendLine(want, "acme", &records[i])
	}
	for _, c := range []Compression{Gzip, Zstd} {
		e := NewEncoder("acme", c)
		var file bytes.Buffer
		if err := e.Encode(&file, window.Window{}, records); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(sinktest.Lines(t, file.Bytes()), ""); got != string(want) {
			t.Errorf("%s: %d bytes, want %d", c, len(got), len(want))
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if err := e.Encode(io.Discard, window.Window{}, records); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 8<<20 {
			t.Errorf("%s: %d bytes were allocated", c, n)
		}
	}
}
