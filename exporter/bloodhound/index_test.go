package bloodhound

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/record"
)

// Every request of the audit log is of the form that the table in doc.go shows: it sorts by created_at first and has one filter,
// which bounds the count. So an index backs it. It skips only inside one instant.
func TestEveryRequestIsIndexed(t *testing.T) {
	for _, profile := range bloodhoundtest.Profiles {
		t.Run(string(profile), func(t *testing.T) {
			server, c, start, end := day(t, bloodhoundtest.Options{Profile: profile})
			crowd := start.Add(time.Hour) // an instant that fills two pages
			for range 250 {
				server.Add(bloodhoundtest.Row{CreatedAt: crowd, Action: "CreateUser", Status: "success"})
			}
			audited := record.Record{ActorID: "6d2e", Action: "GET" + AuditPath}
			for what, ask := range map[string]func() error{
				"fetch":  func() error { _, err := all(t.Context(), c, start, end); return err },
				"count":  func() error { _, _, err := c.Count(t.Context(), start); return err },
				"before": func() error { _, _, err := c.CountBefore(t.Context(), end); return err },
				"extent": func() error { _, err := c.Extent(t.Context(), time.Now()); return err },
				"first":  func() error { _, _, err := c.First(t.Context(), start.Add(-time.Hour), end); return err },
				"newest": func() error { _, _, err := c.Newest(t.Context()); return err },
				"span":   func() error { _, err := c.Span(t.Context(), start, end); return err },
				"clock":  func() error { _, err := c.Clock(t.Context()); return err },
				"own":    func() error { c.Own(t.Context(), &audited); return nil },
			} {
				asked := len(server.Requests())
				if err := ask(); err != nil {
					t.Errorf("%s: %v", what, err)
				}
				for _, r := range server.Requests()[asked:] {
					holdIndexed(t, what, r.Target, server.Rows())
				}
			}
		})
	}
}

// Every request of a search for a bad row has that form too, and so has every request beside a breakdown.
func TestEverySearchIsIndexed(t *testing.T) {
	start := time.Now().UTC().Truncate(time.Minute).Add(-shelvedFor) // in use: on a quiet one, Newest counts all rows once
	end := start.Add(shelvedFor)
	server := everyMinute(start, 0, 700, 1439).serve(bloodhoundtest.V84)
	for _, quarantine := range []bool{false, true} {
		c := reads(t, server, quarantine)
		for what, ask := range map[string]func(){
			"fetch":  func() { _, _ = readSpan(t, c, start, end) },
			"count":  func() { _, _, _ = c.Count(t.Context(), start) },
			"before": func() { _, _, _ = c.CountBefore(t.Context(), end) },
			"extent": func() { _, _ = c.Extent(t.Context(), time.Now()) },
			"first":  func() { _, _, _ = c.First(t.Context(), start.Add(-time.Hour), end) },
			"newest": func() { _, _, _ = c.Newest(t.Context()) },
			"span":   func() { _, _ = c.Span(t.Context(), start, end) },
		} {
			asked := len(server.Requests())
			ask()
			for _, r := range server.Requests()[asked:] {
				holdIndexed(t, what, r.Target, server.Rows())
			}
		}
	}
}

func holdIndexed(t *testing.T, what, target string, rows []bloodhoundtest.Row) {
	t.Helper()
	path, raw, _ := strings.Cut(target, "?")
	if path != AuditPath {
		return
	}
	q, err := url.ParseQuery(raw)
	if err != nil || q.Get("sort_by") != "created_at" && q.Get("sort_by") != "-created_at" || len(q["sort_by"]) != 2 {
		t.Errorf("%s does not sort by created_at: %s", what, target)
	}
	filters := 0
	for _, column := range FilterColumns() {
		filters += len(q[column])
	}
	whole := what == "extent" && q.Get("sort_by") == "created_at" // the one request that wants a count of everything
	if (filters != 1 || !q.Has("created_at")) && !whole {
		t.Errorf("%s makes the server count its whole table: %s", what, target)
	}
	skip, _ := strconv.Atoi(q.Get("skip"))
	inside := slices.DeleteFunc(slices.Clone(rows), func(r bloodhoundtest.Row) bool {
		return r.CreatedAt.Format(time.RFC3339Nano) != q.Get("before")
	})
	if skip > len(inside) {
		t.Errorf("%s skips %d rows, and %d are of its last instant: %s", what, skip, len(inside), target)
	}
}
