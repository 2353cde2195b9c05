package show

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/page"
	"github.com/houndtrail/houndtrail/exporter/record"
)

// Records prints records of the log, in the form table, wide, json or ndjson.
type Records struct {
	form  string
	out   *bufio.Writer
	table *Table[record.Record]

	// For the form json: the lines before the records, whether they are printed, and how many records are printed.
	head  []string
	began bool
	logs  int
}

// NewRecords returns a printer of records. It prints nothing yet.
func NewRecords(w io.Writer, form string) *Records {
	out := bufio.NewWriter(w)
	r := &Records{form: form, out: out, table: NewTable(out, narrowRecord())}
	if form == "wide" {
		r.table = NewWideTable(out, wideRecord())
	}
	return r
}

// Page prints the answer to a request.
func (p *Records) Page(page page.Page) error {
	if page.Count >= 0 {
		p.head = append(p.head, fmt.Sprintf(`"count": %d`, page.Count))
	}
	if page.Limit >= 0 {
		p.head = append(p.head, fmt.Sprintf(`"limit": %d`, page.Limit))
	}
	if err := p.All(page.Records); err != nil {
		return err
	}
	return p.End(nil)
}

// Limit makes the JSON object tell how many records the user asked for.
func (p *Records) Limit(n int) { p.head = append(p.head, fmt.Sprintf(`"limit": %d`, n)) }

// All prints records.
func (p *Records) All(records []record.Record) error {
	for i := range records {
		if err := p.One(&records[i]); err != nil {
			return err
		}
	}
	if err := p.table.Flush(); err != nil {
		return err
	}
	return p.out.Flush()
}

// One prints a record, now or later. In the meantime, it keeps only the part of the record that fits a table.
func (p *Records) One(r *record.Record) error {
	switch p.form {
	case "ndjson":
		_, err := fmt.Fprintln(p.out, r.Raw)
		return err
	case "json":
		return p.element(r)
	default:
		return p.table.Add(clipped(*r))
	}
}

// End prints the rest. problems say why records may be missing. The JSON object contains them, so a program that reads only the
// object sees that it is not complete.
func (p *Records) End(problems []error) error {
	if err := p.table.Flush(); err != nil {
		return err
	}
	if p.form != "json" {
		return p.out.Flush()
	}
	p.begin()
	if p.logs > 0 {
		p.text("\n  ")
	}
	p.text("]")
	if len(problems) > 0 {
		texts := make([]string, len(problems))
		for i, err := range problems {
			texts[i] = err.Error()
		}
		var list bytes.Buffer
		if err := encoder(&list).Encode(texts); err != nil {
			return err
		}
		p.text(",\n  \"incomplete\": ")
		if err := p.indented(list.Bytes(), "  "); err != nil {
			return err
		}
	}
	p.text("\n}\n")
	return p.out.Flush()
}

// begin prints the beginning of the object: the server's count, if there is one, and the name of the list of records.
func (p *Records) begin() {
	if p.began {
		return
	}
	p.began = true
	p.text("{\n")
	for _, line := range p.head {
		p.text("  " + line + ",\n")
	}
	p.text(`  "logs": [`)
}

// text prints a part of the object. The writer remembers an error, and tells it at the end.
func (p *Records) text(s string) { _, _ = p.out.WriteString(s) }

// element prints a record of the object, as the server sent it.
func (p *Records) element(r *record.Record) error {
	p.begin()
	if p.logs++; p.logs > 1 {
		p.text(",")
	}
	p.text("\n    ")
	return p.indented([]byte(r.Raw), "    ")
}

func (p *Records) indented(text []byte, prefix string) error {
	var b bytes.Buffer
	if err := json.Indent(&b, bytes.TrimSpace(text), prefix, "  "); err != nil {
		return err
	}
	_, err := p.out.Write(b.Bytes())
	return err
}

// clipped is a record without the parts that no table shows: a table holds many records before it prints them.
func clipped(r record.Record) record.Record {
	const most = (longestCell + 1) * utf8.UTFMax
	r.Raw = ""
	for _, c := range record.Columns() {
		if value := c.Value(&r); len(*value) > most {
			*value = (*value)[:most]
		}
		*c.Value(&r) = strings.Clone(*c.Value(&r)) // a part of the string would keep the whole string in memory
	}
	return r
}

type recordColumn = Column[record.Record]

// narrowRecord are the columns that fit a terminal.
func narrowRecord() []recordColumn {
	return []recordColumn{
		recordID(),
		{Name: "CREATED AT", Cell: func(r record.Record) string { return Second(r.CreatedAt) }},
		recordText("ACTION", 24, func(r record.Record) string { return r.Action }),
		recordText("STATUS", 7, func(r record.Record) string { return r.Status }),
		recordText("ACTOR", longestCell, func(r record.Record) string { return r.ActorName }),
	}
}

// wideRecord has all columns.
func wideRecord() []recordColumn {
	return []recordColumn{
		recordID(),
		{Name: "CREATED AT", Cell: func(r record.Record) string { return Instant(r.CreatedAt) }},
		recordText("ACTION", longestCell, func(r record.Record) string { return r.Action }),
		recordText("STATUS", longestCell, func(r record.Record) string { return r.Status }),
		recordText("ACTOR", longestCell, func(r record.Record) string { return r.ActorName }),
		recordText("ADDRESS", longestCell, func(r record.Record) string { return r.SourceIP }),
		recordText("FIELDS", longestCell, func(r record.Record) string { return r.Fields }),
	}
}

func recordID() recordColumn {
	return recordColumn{Name: "ID", Cell: func(r record.Record) string { return strconv.FormatInt(r.ID, 10) }}
}

// recordText is a column of text. It is at most width characters wide.
func recordText(name string, width int, of func(record.Record) string) recordColumn {
	return recordColumn{Name: name, Cell: func(r record.Record) string { return Cut(Safe(of(r)), width) }}
}
