package sinktest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/exporter/record"
)

// Files are the records of files that some reader has failed on. The key names the special feature of a file. The records are a
// second apart from start on. Their strings are UTF-8.
func Files(tb testing.TB, start time.Time) map[string][]record.Record {
	tb.Helper()
	large := Generate(tb, 1, 3, start, time.Second)
	large[1].Fields = `"` + strings.Repeat("9 MiB in all. ", 9<<20/14) + `"`

	nulls := many(tb, 12_000, start)
	for i := range nulls {
		nulls[i].Absent = record.Of("status") // in all rows
		for j, c := range record.Columns() {
			if (i/(500*(j+1)))%2 == 0 { // in whole pages, and in parts of them
				nulls[i].Absent |= record.Of(c.Name)
			}
		}
		clearAbsent(&nulls[i])
	}

	pages := many(tb, 20_000, start)
	for i := range pages {
		for _, c := range record.Columns() {
			if c.Kind != record.JSON {
				*c.Value(&pages[i]) = fmt.Sprintf("%s of record %06d, which is no other's", c.Name, (i*7919)%len(pages))
			}
		}
	}

	cypher := strings.Repeat("MATCH (n:User)-[:MemberOf*1..]->(m:Group) WHERE m.name = 'DOMAIN ADMINS' RETURN n ", 300)
	queries := many(tb, 20_000, start)
	for i := range queries { // 400 MB of text in 25 KB of memory
		from := i % 1000
		queries[i].Fields = cypher[from : from+20<<10]
		queries[i].CommitID = fmt.Sprintf("commit %06d", i) // ascending, so that each row group has other values
	}

	distinct := many(tb, 2000, start)
	for i := range distinct {
		distinct[i].ActorName = fmt.Sprint(i) + cypher[:10_000]
		distinct[i].SourceIP = cypher[i:i+10_000] + fmt.Sprint(i)
	}

	// Characters that sort last among those of their length, or just before the surrogates (halves of UTF-16 characters), which
	// UTF-8 does not have. They are around the place where statistics cut a string.
	var borders []record.Record
	for _, last := range []string{"z", "\x7f", "ÿ", "\u07ff", "\ud7ff", "\uffff", "\U0010ffff"} {
		for length := 55; length < 70; length++ {
			r := Generate(tb, int64(len(borders)+1), 1, start.Add(time.Duration(len(borders))*time.Second), 0)[0]
			for _, c := range record.Columns() {
				*c.Value(&r) = strings.Repeat("a", length) + strings.Repeat(last, 20)
			}
			borders = append(borders, r)
		}
	}
	return map[string][]record.Record{
		"one row": Generate(tb, 1, 1, start, time.Second), "9 MiB in a row": large, "NULLs": nulls,
		"several pages": pages, "20 KB in each row": queries, "cut strings": borders,
		"10 KB in names": distinct,
	}
}

// many are n records, a second apart. Each thousand repeats the first one, with other ids and times: that is faster to make.
func many(tb testing.TB, n int, start time.Time) []record.Record {
	tb.Helper()
	thousand := Generate(tb, 1, 1000, start, time.Second)
	records := make([]record.Record, n)
	for i := range records {
		records[i] = thousand[i%1000]
		records[i].ID = int64(i + 1)
		records[i].CreatedAt = start.Add(time.Duration(i) * time.Second)
	}
	return records
}

// clearAbsent empties the columns that are absent, as the API client does.
func clearAbsent(r *record.Record) {
	for _, c := range record.Columns() {
		if r.Absent.Has(record.Of(c.Name)) {
			*c.Value(r) = ""
		}
	}
}
