package archive_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/checkpoint/seal"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/page"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink"
	"github.com/houndtrail/houndtrail/sink/archive"
	"github.com/houndtrail/houndtrail/sink/archive/read"
	"github.com/houndtrail/houndtrail/sink/sinktest"
)

// texts are strings and null, as JSON has them.
var texts = []string{
	"null", `""`, `"null"`, `"plain"`, `"é🐶"`, `"\u00e9\ud83d\udc36 \"J\" \\ \/ \b\f\n\r\t"`, `"\ud800 alone"`, `"\u0000"`, `"]}{[,:"`, `"a\\"`, `"\\\""`,
	`"a\u003cb"`, `"-,"`, `"3:abc,"`,
}

// values are JSON of any kind, some with line breaks between their tokens.
var values = []string{
	"null", `""`, `{}`, `[]`, "{ \"a\" :\n\t1 ,\r\n\"b\":[ ]}", `1.5e+30`, `-0`, `true`, `"a text with \n and \\"`, `{"status":"not the status","x":"}\"]"}`,
	`{"a":[{"b":[[],"]"]}]}`, `{"long":"` + strings.Repeat("long ", 60_000) + `"}`,
}

// served draws a record in a form in which a server may write it.
func served(t *rapid.T, id int) string {
	members := []string{
		fmt.Sprintf(`"id":%d`, id),
		fmt.Sprintf(`"created_at":"2026-03-01T12:00:%02d.%sZ"`, rapid.IntRange(0, 59).Draw(t, "second"),
			rapid.SampledFrom([]string{"0", "5", "123456", "000001", "9999999"}).Draw(t, "fraction")),
	}
	for _, c := range record.Columns() {
		from := texts
		if c.Kind == record.JSON {
			from = values
		}
		if value := rapid.SampledFrom(append([]string{"missing"}, from...)).Draw(t, c.Name); value != "missing" {
			members = append(members, `"`+c.Name+`":`+value)
		}
	}
	for _, odd := range []string{
		`"source":"10.0.0.1"`, `"source":null`, `"stat\u0075s":"by another name"`, `"tenant":"x"`, `"event_id":"y"`, `"":{"":[]}`, `"domain":{"id":1}`,
	} {
		twice := strings.HasPrefix(odd, `"source"`) && strings.Contains(strings.Join(members, ","), `"source":`)
		if rapid.IntRange(0, 4).Draw(t, odd) == 0 && !twice {
			members = append(members, odd)
		}
	}
	space := rapid.SampledFrom([]string{"", " ", "\n", "\r\n\t"}).Draw(t, "space")
	return "{" + space + strings.Join(rapid.Permutation(members).Draw(t, "order"), space+","+space) + space + "}"
}

// TestRowsOfEachFormat: an object has the same records_root in each format. It is also the same for the records as served, and for
// the records read back from the object. Otherwise a proof of a record could fail after a restore or a compaction.
func TestRowsOfEachFormat(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		var logs []string
		for i := range rapid.IntRange(1, 9).Draw(t, "records") {
			logs = append(logs, served(t, i+1))
		}
		p, err := page.Parse([]byte(`{"data":{"logs":[`+strings.Join(logs, ",")+`]}}`), nil, nil)
		if err != nil || len(p.Refused) > 0 {
			t.Fatalf("%v, %v refused", err, p.Refused)
		}
		records := page.Sort(p.Records)
		want := seal.Hash(sinktest.Root(records))
		for name, f := range formats {
			store := new(checkpointtest.Memory)
			a, err := archive.New(store, sinktest.Tenant, f.encoder)
			if err != nil {
				t.Fatal(err)
			}
			receipt, err := sinktest.Write(t.Context(), a, window.Window{Start: at, End: at.Add(time.Minute)}, records)
			if err != nil {
				t.Fatal(err)
			}
			o := receipt.Objects[0]
			body, _, _, err := store.Get(t.Context(), o.Key)
			if err != nil {
				t.Fatal(err)
			}
			file, err := read.Open(body, o.Key)
			if err != nil {
				t.Fatal(err)
			}
			var rows sink.Rows
			var leaves []string
			err = file.Rows(func(r *record.Record) error {
				rows.Add(r)
				leaves = append(leaves, string(sink.AppendRow(nil, r)))
				return nil
			})
			if err != nil || o.RecordsRoot != want || rows.Root() != want {
				t.Fatalf("%s: the root is %x in the receipt and %x in the object, want %x, %v; the rows are %.2000q",
					name, o.RecordsRoot, rows.Root(), want, err, leaves)
			}
		}
	})
}
