package show_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/show"
)

// TestReport: each line fits a terminal, also with a word that is longer than a line, and a foreign text moves no cursor.
func TestReport(t *testing.T) {
	t.Parallel()
	findings := []show.Finding{
		{State: "ok", Name: "short", Seen: "all is well"},
		{State: "fail", Name: "long", Seen: strings.Repeat("many words ", 20) + strings.Repeat("x", 200), Next: "do \x1b[2J" + strings.Repeat("y ", 60)},
	}
	var plain, coloured strings.Builder
	if err := show.NewReport(&plain, nil).Group("group  "+strings.Repeat("z", 100), findings); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(plain.String()) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > show.Terminal {
			t.Errorf("a line has %d characters: %s", n, line)
		}
	}
	if strings.Contains(plain.String(), "\x1b") || strings.Count(plain.String(), "x") < 200 {
		t.Errorf("the report is\n%q", plain.String())
	}
	r := show.NewReport(&coloured, map[string]string{"fail": "31"})
	if err := r.Group("group", findings[:1]); err != nil {
		t.Fatal(err)
	}
	if err := r.Group("other", findings[1:]); err != nil {
		t.Fatal(err)
	}
	if got := coloured.String(); !strings.HasPrefix(got, "group\n  ok       short         all is well\n\nother\n  \x1b[31mfail   \x1b[0m  long ") {
		t.Errorf("the report is\n%q", got)
	}
}
