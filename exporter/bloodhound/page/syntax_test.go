package page

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

// An error about a page says on one line at which place of the page the fault is, and shows the text around it.
func TestSyntaxErrorsAreForPeople(t *testing.T) {
	const good = `{"id":41,"created_at":"2026-01-15T12:34:56Z","action":"A"}`
	page := func(records ...string) string {
		return `{"count":9,"data":{"logs":[` + strings.Join(records, ",") + `]}}`
	}
	for _, tc := range []struct {
		name, body string
		index      int
		id         int64
		key        string
		says       []string
	}{
		{
			"a value of the wrong type", page(good, `{"id":42,"created_at":"2026-01-15T12:34:55Z","action":7,"status":"s"}`), 1, 42, "action",
			[]string{`record at index 1 (id 42), key "action": '7' where '"' is expected`, `around: 026-01-15T12:34:55Z","action":7,"status":"s"}]}}`},
		},
		{"an id behind what is wrong", page(`{"created_at":"yesterday","id":42}`), 0, 42, "created_at", []string{`"yesterday" is not an RFC 3339 time`}},
		{"no time at all", page(good, good, `{"id":43}`), 2, 43, "", []string{"index 2 (id 43): a record without id or created_at"}},
		{"no id", page(`{"created_at":"2026-01-15T12:34:56Z"}`), 0, 0, "", []string{"record at index 0: a record without id"}},
		{"a key twice", page(`{"id":42,"id":43,"created_at":"2026-01-15T12:34:56Z"}`), 0, 42, "id", []string{`key "id": the key stands twice`}},
		{"an id below 1", page(`{"id":-7,"created_at":"2026-01-15T12:34:56Z"}`), 0, -7, "id", []string{"the id -7 is below 1"}},
		{"no record", page(good, `[1]`), 1, 0, "", []string{"index 1: '[' where '{' is expected"}},
		{"broken JSON", page(good, `{"id":42,"created_at":"2026-01-15T12:34:56Z","fields":{"n":01}}`), 1, 42, "fields", []string{`'1' where '}' is expected`}},
		{"a number of letters", page(good, `{"id":42,"fields":{"n":-x}}`), 1, 42, "fields", []string{"a number without digits", `{"n":-x}`}},
		{"between two keys", page(`{"id":42,"created_at":"2026-01-15T12:34:56Z",,}`), 0, 42, "", []string{`',' where '"' is expected`}},
		{"not UTF-8", page(good, "{\"id\":42,\"action\":\"\xff\"}"), 1, 42, "action", []string{"not UTF-8", "\"action\":\"\uFFFD\"}"}},
		{"a control character", page("{\"id\":42,\"action\":\"a\x1bb\"}"), 0, 42, "action", []string{"control character 0x1b", `"a·b"`}},
		{"the envelope", `{"count":"many","data":{"logs":[]}}`, -1, 0, "count", []string{`the page, key "count": a number without digits, at byte 9`}},
		{"no logs", `{"data":{"rows":[]}}`, -1, 0, "", []string{"the page: no data.logs in it"}},
		{"cut", page(good)[:60], 0, 41, "created_at", []string{"it ends inside a string"}},
		{"long values", page(`{"id":42,"created_at":"` + strings.Repeat("9", 5000) + `"}`), 0, 42, "created_at", []string{"999...", "is not an RFC 3339"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := strict([]byte(tc.body), nil)
			e, ok := errors.AsType[*SyntaxError](err)
			if !ok {
				t.Fatalf("error %v", err)
			}
			if e.Index != tc.index || e.ID != tc.id || e.Key != tc.key {
				t.Errorf("index %d, id %d, key %q: %v", e.Index, e.ID, e.Key, e)
			}
			for _, part := range append(tc.says, fmt.Sprintf("at byte %d, around: %s", e.Offset, e.Around)) {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q\n does not say %q", err, part)
				}
			}
			if n := utf8.RuneCountInString(e.Around); n > 60 || len(err.Error()) > 500 || strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' }) {
				t.Errorf("%d characters around: %q", n, err.Error())
			}
		})
	}
}

func TestAroundKeepsCharactersWhole(t *testing.T) {
	text := strings.Repeat("é東🐕", 40)
	for offset := range len(text) + 2 {
		got := around([]byte(text), offset)
		if n := utf8.RuneCountInString(got); !strings.Contains(text, got) || n > 60 || n < 30 {
			t.Fatalf("around %d: %q", offset, got)
		}
	}
}
