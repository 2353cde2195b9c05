package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/page"
	"github.com/houndtrail/houndtrail/exporter/record"
)

// longestCell keeps a wide table readable; -o ndjson has everything.
const longestCell = 80

// A recordPrinter writes records as a table, as JSON or as NDJSON.
type recordPrinter struct {
	form  string
	out   *bufio.Writer
	table *tabwriter.Writer
	rows  int
}

func newRecordPrinter(w io.Writer, form string) *recordPrinter {
	out := bufio.NewWriter(w)
	return &recordPrinter{form: form, out: out, table: tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)}
}

func (p *recordPrinter) page(page page.Page) error {
	if p.form == "json" {
		return p.json(page)
	}
	for _, r := range page.Records {
		if err := p.record(r); err != nil {
			return err
		}
	}
	return p.flush()
}

// json is the page as one object: what the server counted, where it did, and the records as it served them.
func (p *recordPrinter) json(page page.Page) error {
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
	e := json.NewEncoder(p.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(answer); err != nil {
		return err
	}
	return p.out.Flush()
}

func (p *recordPrinter) record(r record.Record) error {
	if p.form == "ndjson" {
		_, err := fmt.Fprintln(p.out, r.Raw)
		return err
	}
	wide := p.form == "wide"
	if p.rows == 0 && wide {
		fmt.Fprintln(p.table, "ID\tCREATED AT\tACTION\tSTATUS\tACTOR\tADDRESS\tFIELDS")
	} else if p.rows == 0 {
		fmt.Fprintln(p.table, "ID\tCREATED AT\tACTION\tSTATUS\tACTOR")
	}
	p.rows++
	if wide {
		_, err := fmt.Fprintf(p.table, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n", r.ID, r.CreatedAt.Format("2006-01-02T15:04:05.000000Z"),
			cell(r.Action), cell(r.Status), cell(r.ActorName), cell(r.SourceIP), cell(r.Fields))
		return err
	}
	_, err := fmt.Fprintf(p.table, "%d\t%s\t%s\t%s\t%s\n", r.ID, secondCell(r.CreatedAt),
		shortCell(r.Action, 24), shortCell(r.Status, 7), shortCell(r.ActorName, 12))
	return err
}

func (p *recordPrinter) flush() error {
	if err := p.table.Flush(); err != nil {
		return err
	}
	return p.out.Flush()
}

// cell makes a value safe for a terminal: the audited user can choose some of them, and must not move the cursor.
func cell(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '.'
		}
		return r
	}, s)
	if s == "" {
		return unknown
	}
	return cut(s, longestCell)
}

// shortCell is a cell of a table that has to fit a terminal of 80 columns.
func shortCell(s string, width int) string { return cut(cell(s), width) }

func cut(s string, width int) string {
	if runes := []rune(s); len(runes) > width {
		return string(runes[:width-1]) + "…"
	}
	return s
}
