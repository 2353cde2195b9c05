package show

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/page"
	"github.com/houndtrail/houndtrail/exporter/record"
)

// Records prints records of the log, in the form table, wide, json or ndjson.
type Records struct {
	form  string
	out   *bufio.Writer
	table *Table[record.Record]
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
	if p.form == "json" {
		return p.object(page)
	}
	return p.All(page.Records)
}

// All prints records.
func (p *Records) All(records []record.Record) error {
	for _, r := range records {
		if err := p.one(r); err != nil {
			return err
		}
	}
	if err := p.table.Flush(); err != nil {
		return err
	}
	return p.out.Flush()
}

func (p *Records) one(r record.Record) error {
	if p.form == "ndjson" {
		_, err := fmt.Fprintln(p.out, r.Raw)
		return err
	}
	return p.table.Add(r)
}

// object prints the page as one object: the server's count, if there is one, and the records as the server sent them.
func (p *Records) object(page page.Page) error {
	answer := struct {
		Count *int64            `json:"count,omitempty"`
		Limit *int64            `json:"limit,omitempty"`
		Logs  []json.RawMessage `json:"logs"`
	}{Logs: []json.RawMessage{}}
	if page.Count >= 0 {
		answer.Count = &page.Count
	}
	if page.Limit >= 0 {
		answer.Limit = &page.Limit
	}
	for _, r := range page.Records {
		answer.Logs = append(answer.Logs, json.RawMessage(r.Raw))
	}
	if err := Pretty(p.out, answer); err != nil {
		return err
	}
	return p.out.Flush()
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

// wideRecord are all columns.
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

// recordText is a column of text, at most width characters wide.
func recordText(name string, width int, of func(record.Record) string) recordColumn {
	return recordColumn{Name: name, Cell: func(r record.Record) string { return Cut(Safe(of(r)), width) }}
}
