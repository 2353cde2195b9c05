package main

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/sink/sinktest"
	"github.com/houndtrail/houndtrail/sink/webhook/format"
)

// formatOf makes a format for a part of the documents.
func formatOf(t *testing.T, name string) format.Format {
	t.Helper()
	f, err := format.New(name, format.Options{Tenant: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// formatTable is the table of the formats. It has the settings that a user needs, and the limits of each format.
func formatTable(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("| format | path behind `WEBHOOK_URL` | header of `WEBHOOK_AUTHORIZATION` | batch | record | age |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, name := range format.Names() {
		f := formatOf(t, name)
		l := f.Limits()
		path := strings.TrimPrefix(f.Address(&url.URL{Scheme: "https", Host: "siem.example"}).Path, "/")
		if path != "" {
			path = "`/" + path + "`"
		}
		size, age := "", ""
		if l.Record > 0 {
			size = fmt.Sprintf("%d bytes", l.Record)
		}
		if l.Age > 0 {
			age = l.Age.String()
		}
		fmt.Fprintf(&b, "| `%s` | %s | `%s` | %d records, %s | %s | %s |\n", name, cmp.Or(path, "none"), f.Credential(), l.Records,
			config.ByteSize(l.Bytes), cmp.Or(size, "any"), cmp.Or(age, "any"))
	}
	return b.String()
}

// formatExample is the body of a batch with one record.
func formatExample(t *testing.T, name string) string {
	t.Helper()
	f := formatOf(t, name)
	r := sinktest.Parse(t, `{"id":7,"created_at":"2026-01-15T12:34:56.123456Z","action":"DeleteUser","fields":{"id":"x"},"status":"success"}`)
	frame := f.Frame(format.Walk{})
	body := frame.Open + strings.TrimSuffix(string(f.Append(nil, &r)), "\n") + frame.Close
	return "```json\n" + body + "\n```\n"
}
