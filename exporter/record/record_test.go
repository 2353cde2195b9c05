package record_test

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/houndtrail/houndtrail/exporter/record"
)

// Files and journals find the columns by their places. So the list may become longer, but its earlier part must stay the same.
func TestColumns(t *testing.T) {
	t.Parallel()
	want, err := os.ReadFile("testdata/columns.golden")
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, c := range record.Columns() {
		kind := map[record.Kind]string{record.Repeats: "repeats", record.Unique: "unique", record.JSON: "json"}[c.Kind]
		fmt.Fprintf(&got, "%s %s\n", c.Name, kind)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("the columns (-want +got):\n%s", diff)
	}
}

// Each string of a record except Raw belongs to one column, and no two columns have the same string.
func TestEachStringIsAColumn(t *testing.T) {
	t.Parallel()
	var r record.Record
	for i, c := range record.Columns() {
		if text := c.Value(&r); *text != "" {
			t.Errorf("%s is %s too", c.Name, *text)
		} else {
			*text = c.Name
		}
		if set := record.Of(c.Name); set != record.At(i) || !record.All.Has(set) {
			t.Errorf("%s has the set %b, at its place is %b", c.Name, set, record.At(i))
		}
	}
	value := reflect.ValueOf(r)
	for i := range value.NumField() {
		if f := value.Field(i); f.Kind() == reflect.String && (f.String() == "") != (value.Type().Field(i).Name == "Raw") {
			t.Errorf("%s is %q", value.Type().Field(i).Name, f)
		}
	}
	if record.All.Has(record.At(len(record.Columns()))) || record.Of("id") != 0 {
		t.Error("a set has more than the string columns")
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	early, late := time.UnixMicro(1), time.UnixMicro(2)
	for _, tc := range []struct {
		a, b record.Record
		want int
	}{
		{record.Record{ID: 2, CreatedAt: early}, record.Record{ID: 1, CreatedAt: late}, -1},
		{record.Record{ID: 2, CreatedAt: early}, record.Record{ID: 1, CreatedAt: early}, 1},
		{record.Record{ID: 1, CreatedAt: early, Raw: "a"}, record.Record{ID: 1, CreatedAt: early}, 0},
	} {
		if got := record.Compare(&tc.a, &tc.b); got != tc.want {
			t.Errorf("%+v and %+v: %d, want %d", tc.a, tc.b, got, tc.want)
		}
		if got := record.Compare(&tc.b, &tc.a); got != -tc.want {
			t.Errorf("the other way round: %d", got)
		}
	}
}
