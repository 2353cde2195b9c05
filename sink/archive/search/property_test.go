package search_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/record/filter"
	"github.com/houndtrail/houndtrail/sink/archive/search"
)

// plain is the meaning of a filter, word for word.
func plain(f filter.Filter, r *record.Record) bool {
	holds := func(c int) bool {
		return map[string]bool{"eq": c == 0, "neq": c != 0, "gt": c > 0, "gte": c >= 0, "lt": c < 0, "lte": c <= 0}[f.Predicate]
	}
	switch f.Column {
	case "id":
		n, _ := strconv.ParseInt(f.Value, 10, 64)
		return holds(int(r.ID - n))
	case "created_at":
		at, _ := time.Parse(time.RFC3339Nano, f.Value)
		return holds(r.CreatedAt.Compare(at))
	}
	for i, c := range record.Columns() {
		if c.Name != f.Column {
			continue
		}
		value, absent := *c.Value(r), r.Absent.Has(record.At(i))
		switch {
		case f.Value == "null":
			return (absent || value == "") == (f.Predicate == "eq")
		case absent:
			return false
		case f.Predicate == "~eq":
			return strings.Contains(strings.ToLower(value), strings.ToLower(f.Value))
		}
		return holds(strings.Compare(value, f.Value))
	}
	return false
}

// TestProperty: a search finds the same records as a plain filter over all records, in order, each once. The archive may have any
// form, and the memory may be small.
func TestProperty(t *testing.T) {
	t.Parallel()
	texts := []string{"", "a", "Ab", "aBc", strings.Repeat("long ", 40)}
	columns := []string{"actor_id", "actor_name", "actor_email", "action", "request_id", "source_ip_address", "status"}
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, rapid.SampledFrom([]string{"parquet", "parquet", "ndjson", "zstd"}).Draw(t, "encoder"))
		id := int64(0)
		for range rapid.IntRange(0, 6).Draw(t, "windows") {
			start := day1.Add(time.Duration(rapid.IntRange(0, 70).Draw(t, "hour")) * time.Hour).Add(time.Duration(id) * time.Microsecond)
			var records []record.Record
			for range rapid.IntRange(0, 12).Draw(t, "records") {
				id++
				at := start.Add(time.Duration(rapid.IntRange(-3000, 3000).Draw(t, "at")) * time.Second)
				rest := `,"fields":{"n":` + strconv.FormatInt(id, 10) + `}`
				for _, c := range columns {
					if v := rapid.SampledFrom(append(texts, "null")).Draw(t, c); v == "null" {
						rest += fmt.Sprintf(`,%q:null`, c)
					} else {
						rest += fmt.Sprintf(`,%q:%q`, c, v)
					}
				}
				records = append(records, recordOf(t, id, at, rest))
			}
			if len(records) > 0 {
				w.write(start, records...)
			}
		}
		for d := range 3 {
			if rapid.Bool().Draw(t, "twice") {
				w.compactedTwin(day1.AddDate(0, 0, d))
			}
		}
		o := drawOptions(t, columns, texts, id)
		want := expected(w.records, o)
		got := w.find(o)
		if diff := cmp.Diff(ids(want), ids(got)); diff != "" {
			t.Fatalf("%+v (-want +got):\n%s", o, diff)
		}
		for i := range got {
			if want[i].Raw != got[i].Raw && w.encoder != "parquet" {
				t.Fatalf("id %d is %s, and was %s", got[i].ID, got[i].Raw, want[i].Raw)
			}
			if again, err := parse(got[i].Raw); err != nil || again.Absent != want[i].Absent || again.Fields != want[i].Fields {
				t.Fatalf("id %d is %s, %v", got[i].ID, got[i].Raw, err)
			}
		}
	})
}

func drawOptions(t *rapid.T, columns, texts []string, id int64) search.Options {
	o := search.Options{
		OldestFirst: rapid.Bool().Draw(t, "oldest first"),
		Skip:        rapid.IntRange(0, 9).Draw(t, "skip") / 5,
		Limit:       rapid.SampledFrom([]int{1, 3, 10, 1000}).Draw(t, "limit"),
		Tail:        rapid.SampledFrom([]int{16, 1 << 20}).Draw(t, "tail"),
		Memory:      rapid.SampledFrom([]int64{1, 1500, 1 << 20}).Draw(t, "memory"),
	}
	instant := func(name string) time.Time {
		return day1.Add(time.Duration(rapid.IntRange(0, 72*3600).Draw(t, name)) * time.Second)
	}
	if rapid.Bool().Draw(t, "after") {
		o.After = instant("after")
	}
	if rapid.Bool().Draw(t, "before") {
		o.Before = instant("before")
	}
	for range rapid.IntRange(0, 2).Draw(t, "filters") {
		f := filter.Filter{Column: rapid.SampledFrom(append(columns, "id", "created_at")).Draw(t, "column")}
		numbers := []string{"eq", "neq", "gt", "gte", "lt", "lte"}
		switch f.Column {
		case "id":
			f.Predicate = rapid.SampledFrom(numbers).Draw(t, "predicate")
			f.Value = strconv.FormatInt(rapid.Int64Range(0, id+1).Draw(t, "value"), 10)
		case "created_at":
			f.Predicate, f.Value = rapid.SampledFrom(numbers).Draw(t, "predicate"), instant("value").Format(time.RFC3339)
		default:
			f.Predicate = rapid.SampledFrom([]string{"eq", "eq", "neq", "~eq"}).Draw(t, "predicate")
			f.Value = rapid.SampledFrom(append(texts, "b")).Draw(t, "value")
			if f.Predicate != "~eq" && rapid.IntRange(0, 4).Draw(t, "null") == 0 {
				f.Value = "null"
			}
		}
		o.Filters = append(o.Filters, f)
	}
	return o
}

// expected returns the answer of a plain filter over all records. The records are in order.
func expected(records []record.Record, o search.Options) (want []record.Record) {
	for i := range records {
		r := &records[i]
		if r.CreatedAt.Before(o.After) || !o.Before.IsZero() && r.CreatedAt.After(o.Before) ||
			slices.ContainsFunc(o.Filters, func(f filter.Filter) bool { return !plain(f, r) }) {
			continue
		}
		want = append(want, *r)
	}
	if !o.OldestFirst {
		slices.Reverse(want)
	}
	want = want[min(o.Skip, len(want)):]
	return want[:min(o.Limit, len(want))]
}

// by parses filters as a user types them.
func by(text string) (filters []filter.Filter) {
	for part := range strings.SplitSeq(text, "&") {
		column, test, _ := strings.Cut(part, "=")
		filters = append(filters, filter.Parse(column, test))
	}
	return filters
}
