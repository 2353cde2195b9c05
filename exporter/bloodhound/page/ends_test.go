package page

import (
	"fmt"
	"strings"
	"testing"
)

func TestGlance(t *testing.T) {
	row := func(id int, fields string) string {
		return fmt.Sprintf(`{"id":%d,"created_at":"2026-01-15T12:34:%02dZ","fields":%s,"status":"x"}`, id, id, fields)
	}
	page := func(records ...string) string {
		return `{"count":5,"limit":7,"skip":0,"data":{"logs":[` + strings.Join(records, ",") + "]}}\n"
	}
	for _, tc := range []struct {
		name, body  string
		ok          bool
		first, last int64
	}{
		{"a page", page(row(9, "{}"), row(8, "null"), row(7, "{}")), true, 9, 7},
		{"one record", page(row(9, "{}")), true, 9, 9},
		{"objects with an id inside", page(row(9, `{"roles":[{"id":3}]}`), row(8, `{"data":{"logs":[{"id":1}]}}`)), true, 9, 8},
		{"a page in a record", page(row(9, "{}"), row(8, page(row(7, "{}")))), true, 9, 8},
		{"more objects than are looked through", page(row(9, "["+strings.Repeat(`{"id":1},`, 20)+"0]")), false, 0, 0},
		{"brackets in strings", page(row(9, `"]}}"`), row(8, `"{\"id\":1}]}}"`)), true, 9, 8},
		{"no records", page(), false, 0, 0},
		{"null", `{"data":{"logs":null}}`, false, 0, 0},
		{"another order of keys", `{"data":{"logs":[{"created_at":"2026-01-15T12:34:56Z","id":1}]}}`, false, 0, 0},
		{"something behind the logs", strings.Replace(page(row(9, "{}")), "]}}", `],"more":1}}`, 1), false, 0, 0},
		{"a nested object at the very end", `{"limit":7,"data":{"logs":[{"id":9,"created_at":"2026-01-15T12:34:09Z","fields":[{"id":1,"created_at":"2026-01-15T12:34:01Z"}]}]}}`, true, 9, 9},
		{"cut", strings.TrimSuffix(page(row(9, "{}")), "]}}\n"), false, 0, 0},
		{"empty", "", false, 0, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, ok := Glance([]byte(tc.body))
			if ok != tc.ok || ok && (got.First != tc.first || got.Last != tc.last || got.Limit != 7) {
				t.Errorf("%+v %v, want %d to %d %v", got, ok, tc.first, tc.last, tc.ok)
			}
		})
	}
}

// If a page is newest first, Glance tells the same ends as the scan, or tells none.
func FuzzGlance(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte(`{"data":{"logs":[{"id":2,"created_at":"2026-01-15T12:34:56Z"},{"id":1,"created_at":"2026-01-15T12:34:55Z","fields":{"a":[{"id":7}]}}]}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		ends, ok := Glance(body)
		p, err := strict(body, nil)
		if !ok || err != nil {
			return
		}
		found := p.Ends()
		ends.Records = AtMost(body, 1, 0)
		if found.Records > 0 && found.NewestFirst && (ends.First != found.First || ends.Last != found.Last || !ends.Oldest.Equal(found.Oldest) || !ends.Newest.Equal(found.Newest)) {
			t.Fatalf("ends %+v, found %+v in %q", ends, found, body)
		}
	})
}
