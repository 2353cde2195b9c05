package bloodhoundtest_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	bt "github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
)

// page compares a page with the measured one: the envelope, the number of rows, their order, and the server's count. The rows
// themselves follow from the table of this test.
func (a answer) page(body []byte, r *http.Request, withRows bool) string {
	var got envelope
	if err := json.Unmarshal(body, &got); err != nil || got.Count == nil || got.Limit == nil || got.Skip == nil {
		return "the body is no page"
	}
	if a.details["limit"] != strconv.Itoa(*got.Limit) || a.details["skip"] != strconv.Itoa(*got.Skip) {
		return "limit or skip of the envelope is another"
	}
	if !withRows {
		return ""
	}
	counted := slices.DeleteFunc(slices.Clone(measured()), func(r bt.Row) bool {
		return slices.ContainsFunc(a.where, func(c condition) bool { return !c.holds(r) })
	})
	if *got.Count != len(counted) {
		return fmt.Sprintf("count is not %d", len(counted))
	}
	want := a.served(counted, r.URL.Query(), *got.Limit, *got.Skip)
	if rows, known := a.details["rows"]; known && rows != strconv.Itoa(len(want)) {
		return fmt.Sprintf("the table of this test gives %d rows", len(want))
	}
	if len(got.Data.Logs) != len(want) {
		return fmt.Sprintf("there are not %d rows", len(want))
	}
	known := make(map[int64]bt.Row)
	for _, r := range counted {
		known[r.ID] = r
	}
	for i, id := range got.ids() {
		row, ok := known[id]
		delete(known, id)
		if !ok || a.compare(row, want[i]) != 0 {
			return fmt.Sprintf("row %d is %d and not such as %d: got %v", i, id, want[i].ID, got.ids())
		}
	}
	return ""
}

// served are the rows of a page. Rows that are equal in the order may change places.
func (a answer) served(rows []bt.Row, query url.Values, limit, skip int) []bt.Row {
	before := boundary(query.Get("before"), measuredAt)
	after := boundary(query.Get("after"), before.Add(-365*24*time.Hour))
	page := slices.DeleteFunc(slices.Clone(rows), func(r bt.Row) bool {
		return r.CreatedAt.IsZero() || r.CreatedAt.Before(after) || r.CreatedAt.After(before)
	})
	slices.SortFunc(page, a.compare)
	page = page[min(max(skip, 0), len(page)):]
	if limit == 0 {
		return page
	}
	return page[:min(limit, len(page))]
}

func boundary(text string, missing time.Time) time.Time {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t
	}
	return missing
}

// compare orders rows by the columns of the answer's order. NULL comes after every text.
func (a answer) compare(x, y bt.Row) int {
	for column := range strings.SplitSeq(a.details["by"], ",") {
		name, descending := strings.CutPrefix(column, "-")
		var c int
		switch name {
		case "":
		case "id":
			c = cmp.Compare(x.ID, y.ID)
		case "created_at":
			c = x.CreatedAt.Compare(y.CreatedAt)
		default:
			c = cmp.Or(cmp.Compare(rank(x, name), rank(y, name)), cmp.Compare(textOf(x, name), textOf(y, name)))
		}
		if descending {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return 0
}

func rank(r bt.Row, column string) int {
	if slices.Contains(r.Null, column) {
		return 1
	}
	return 0
}

func textOf(r bt.Row, column string) string {
	switch column {
	case "actor_id":
		return r.ActorID
	case "actor_name":
		return r.ActorName
	case "actor_email":
		return r.ActorEmail
	case "action":
		return r.Action
	case "request_id":
		return r.RequestID
	case "source_ip_address":
		return r.SourceIP
	default:
		return r.Status
	}
}

// holds is the condition as SQL reads it: NULL compares with nothing.
func (c condition) holds(r bt.Row) bool {
	null := slices.Contains(r.Null, c.column) || c.column == "created_at" && r.CreatedAt.IsZero()
	if c.operator == "is null" || c.operator == "is not null" {
		return null == (c.operator == "is null")
	}
	if null {
		return false
	}
	order := cmp.Compare(textOf(r, c.column), c.value)
	switch c.column {
	case "id":
		number, err := strconv.ParseFloat(c.value, 64)
		if err != nil {
			number = math.NaN()
		}
		order = cmp.Compare(float64(r.ID), number)
	case "created_at":
		order = r.CreatedAt.Compare(boundary(c.value, time.Time{}))
	}
	switch c.operator {
	case "=":
		return order == 0
	case "<>":
		return order != 0
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	default:
		return order >= 0
	}
}
