package filter_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/exporter/record/filter"
)

func TestParseAll(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]filter.Filter{
		"status=neq:intent":                      {{Column: "status", Predicate: "neq", Value: "intent"}},
		"status=neq:intent&action=~eq:Auth":      {{Column: "status", Predicate: "neq", Value: "intent"}, {Column: "action", Predicate: "~eq", Value: "Auth"}},
		"actor_email=eq:a+b@x":                   {{Column: "actor_email", Predicate: "eq", Value: "a+b@x"}},
		"actor_name=eq:a%26b%25":                 {{Column: "actor_name", Predicate: "eq", Value: "a&b%"}},
		"action=eq:POST /api/v2/x={id}":          {{Column: "action", Predicate: "eq", Value: "POST /api/v2/x={id}"}},
		"created_at=gte:2026-01-01T00:00:00Z":    {{Column: "created_at", Predicate: "gte", Value: "2026-01-01T00:00:00Z"}},
		"source_ip_address=eq:null&id=gt:7":      {{Column: "source_ip_address", Predicate: "eq", Value: "null"}, {Column: "id", Predicate: "gt", Value: "7"}},
		"fields=~eq:\"username\":\"admin\"":      {{Column: "fields", Predicate: "~eq", Value: `"username":"admin"`}},
		"action=neq:eq:x&commit_id=neq:null":     {{Column: "action", Predicate: "neq", Value: "eq:x"}, {Column: "commit_id", Predicate: "neq", Value: "null"}},
		"no_such_column=eq:is found by Compile ": {{Column: "no_such_column", Predicate: "eq", Value: "is found by Compile "}},
	} {
		got, err := filter.ParseAll(text)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", text, err, diff)
		}
	}
	for text, says := range map[string]string{
		"":                                 "want column=predicate:value",
		"status":                           "want column=predicate:value",
		"status=intent":                    "such as status=neq:intent", // a server ignores it; as eq it would surprise the user
		"status=ne:intent":                 "one of the predicates eq, neq, gt, gte, lt, lte, ~eq",
		"status=neq:":                      "null stands for none",
		"=eq:x":                            "want column=predicate:value",
		"status=neq:intent&":               `the filter ""`,
		"actor_name=eq:50%":                "write % as %25",
		"status=eq:a,action=eq:b&id=ht:12": `the filter "id=ht:12"`,
	} {
		if got, err := filter.ParseAll(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
}

// TestMatch has the meaning of each predicate, also for a column without a value.
func TestMatch(t *testing.T) {
	t.Parallel()
	r := record.Record{
		ID: 7, CreatedAt: time.UnixMicro(1_000_001), Action: "LoginAttempt", Status: "intent", SourceIP: "192.0.2.1", Fields: `{"a":1}`,
		Absent: record.Of("actor_id"),
	}
	for text, want := range map[string]bool{
		"status=neq:intent": false, "status=eq:intent": true, "status=eq:Intent": false, "action=~eq:attempt": true, "action=~eq:Auth": false,
		"id=gt:7": false, "id=gte:7": true, "id=lt:8&id=gt:6": true, "id=neq:7": false,
		"created_at=eq:1970-01-01T00:00:01.000001Z": true, "created_at=lt:1970-01-01T01:00:01.000001+01:00": false,
		"source=eq:192.0.2.1": true, "fields=~eq:{\"A\"": true,
		"actor_name=eq:null": true, "actor_id=eq:null": true, "status=neq:null": true, "actor_id=neq:null": false,
		"actor_id=neq:x": false, "actor_name=neq:x": true, "actor_id=~eq:": false,
	} {
		filters, err := filter.ParseAll(text)
		if strings.HasSuffix(text, ":") { // ParseAll refuses it
			filters, err = []filter.Filter{{Column: "actor_id", Predicate: "~eq"}}, nil
		}
		if err != nil {
			t.Fatal(err)
		}
		c, err := filter.Compile(filters)
		if err != nil || c.Match(&r) != want {
			t.Errorf("%s holds: %t, %v", text, c.Match(&r), err)
		}
	}
	if none := (*filter.Conditions)(nil); !none.Match(&r) || none.String() != "" {
		t.Error("nil conditions do not hold")
	}
}

func TestCompileRefuses(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		"state=eq:x":                 "there is no such column",
		"id=eq:x":                    "want a whole number",
		"id=~eq:1":                   "want eq, neq, gt, gte, lt or lte",
		"status=gt:a":                "want eq, neq or ~eq",
		"created_at=gt:now":          "want a time such as",
		"id=eq:1&no=eq:x&status=lt:": "the filter status=lt:",
	} {
		var filters []filter.Filter
		for part := range strings.SplitSeq(text, "&") {
			column, test, _ := strings.Cut(part, "=")
			filters = append(filters, filter.Parse(column, test))
		}
		if _, err := filter.Compile(filters); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestString: the text of conditions gives the same conditions again.
func TestString(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		filters := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) filter.Filter {
			return filter.Filter{
				rapid.SampledFrom([]string{"action", "status", "fields"}).Draw(t, "column"),
				rapid.SampledFrom([]string{"eq", "neq", "~eq"}).Draw(t, "predicate"),
				rapid.StringN(1, 20, -1).Draw(t, "value"),
			}
		}), 1, 4).Draw(t, "filters")
		c, err := filter.Compile(filters)
		if err != nil {
			t.Fatal(err)
		}
		again, err := filter.ParseAll(c.String())
		if diff := cmp.Diff(filters, again); diff != "" || err != nil {
			t.Fatalf("%s: %v\n%s", c, err, diff)
		}
	})
}
