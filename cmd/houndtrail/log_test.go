package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/houndtrail/houndtrail/config"
)

// If net/http reports an answer that it did not ask for, the line goes through our logger, without most of the quoted answer.
func TestLibraryLog(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := &program{stderr: &out, libraries: new(libraryLog)}
	record := `{"id":1,"actor_name":"` + strings.Repeat("é", 500) + `"}`
	line := "Unsolicited response received on idle HTTP channel starting with " + record + "; err=<nil>\n"
	write := func() {
		if n, err := p.libraries.Write([]byte(line)); n != len(line) || err != nil {
			t.Errorf("%d bytes, %v", n, err)
		}
	}
	write()
	if out.Len() > 0 {
		t.Errorf("without a logger: %s", &out)
	}
	p.logger(config.Log{Format: config.LogJSON})
	write()
	got := out.String()
	if strings.Count(got, "\n") != 1 || !strings.HasPrefix(got, `{"level":"warn"`) || len(got) > 250 ||
		!strings.Contains(got, `"text":"Unsolicited response received on idle HTTP channel starting with {\"id\":1,`) ||
		strings.Contains(got, "\\ufffd") {
		t.Errorf("got %s", got)
	}
}
