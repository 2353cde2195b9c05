package exporter_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/bloodhound"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest"
)

// entries are the journal's, oldest first.
func (w *world) entries() (all []checkpoint.Stored) {
	w.t.Helper()
	for entry, err := range w.journal(w.positions).Entries(w.t.Context()) {
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, entry)
	}
	return all
}

// Every profile that counts proves every window of a backlog, to the row: no row comes in meanwhile.
func TestServerCount(t *testing.T) {
	for _, profile := range bloodhoundtest.Profiles {
		t.Run(string(profile), func(t *testing.T) {
			w := month(t, profile, 3000)
			w.pageSize, w.records = 100, 300
			if err := w.process(w.positions, w.objects).RunOnce(t.Context()); err != nil {
				t.Fatal(err)
			}
			all := w.entries()
			own := int64(2 * len(w.server.Requests())) // rows that a request for a count can have brought
			if len(all) < 5 {
				t.Fatalf("%d entries are too few to say anything", len(all))
			}
			for _, entry := range all {
				count := *entry.ServerCount
				if profile == bloodhoundtest.Documented {
					if count != (checkpoint.ServerCount{Status: checkpoint.CountUnknown}) {
						t.Errorf("entry %d has the count %+v of a server that tells none", entry.Serial, count)
					}
					continue
				}
				read := int64(entry.Records.Read)
				want := checkpoint.ServerCount{Status: checkpoint.CountExact, AtLeast: read, AtMost: read}
				if profile == bloodhoundtest.PR3049 { // there each request for a count brings two rows
					want.Status, want.AtLeast, want.AtMost = checkpoint.CountBounded, count.AtLeast, count.AtMost
				}
				if count != want || count.AtLeast > read || count.AtMost < read || count.AtMost-count.AtLeast > own {
					t.Errorf("entry %d of %d rows has the count %+v", entry.Serial, read, count)
				}
			}
		})
	}
}

// withhold is a server that leaves rows with an action out of its pages, or counts less than it has. It tampers with one answer
// at a time.
func (w *world) withhold(tamper func(body string) string) *httptest.Server {
	var one sync.Mutex
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		r.Header.Del("Accept-Encoding")
		rec := httptest.NewRecorder()
		w.server.ServeHTTP(rec, r)
		maps.Copy(rw.Header(), rec.Header())
		rw.Header().Del("Content-Length")
		rw.WriteHeader(rec.Code)
		one.Lock()
		body := tamper(rec.Body.String())
		one.Unlock()
		_, _ = rw.Write([]byte(body))
	}))
	w.t.Cleanup(s.Close)
	return s
}

// without drops the record that holds the text from a page.
func without(body, text string) string {
	at := strings.Index(body, text)
	if at < 0 {
		return body
	}
	start := strings.LastIndex(body[:at], `{"id":`)
	end := at + strings.Index(body[at:], `"status":`)
	end += strings.Index(body[end:], "}") + 1
	if strings.HasPrefix(body[end:], ",") {
		return body[:start] + body[end+1:]
	}
	return strings.TrimSuffix(body[:start], ",") + body[end:]
}

func (w *world) through(s *httptest.Server) *exporter.Exporter {
	w.t.Helper()
	e := w.process(w.positions, w.objects)
	base, err := url.Parse(s.URL)
	if err != nil {
		w.t.Fatal(err)
	}
	e.Source, err = bloodhound.New(bloodhound.Options{
		Connection: rest.Options{
			URL: base, Auth: rest.Bearer(func() (string, error) { return w.session, nil }), Rate: 1e6,
		},
		PageSize: w.pageSize,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return e
}

// If a server returns fewer records than it counts, the stream stops before the incomplete window. The windows before that one
// stay committed. If the server answers a second request in full, the stream goes on.
func TestIncompleteWindow(t *testing.T) {
	for name, times := range map[string]int{"for good": 1 << 30, "once": 1} {
		t.Run(name, func(t *testing.T) {
			w := month(t, bloodhoundtest.V84, 3000)
			w.pageSize, w.records = 100, 300
			hidden := `"action":"Hidden"`
			w.server.Add(bloodhoundtest.Row{CreatedAt: w.now().Add(-5 * 24 * time.Hour), Action: "Hidden"})
			left := times
			s := w.withhold(func(body string) string {
				if left > 0 && strings.Contains(body, hidden) {
					left--
					return without(body, hidden)
				}
				return body
			})
			err := w.through(s).RunOnce(t.Context())
			if times == 1 {
				if err != nil {
					t.Fatal(err)
				}
				w.checkArchive(w.objects, w.positions)
				return
			}
			if !errors.Is(err, exporter.ErrIncomplete) {
				t.Fatalf("the cycle says %v, want %v", err, exporter.ErrIncomplete)
			}
			all := w.entries()
			row := w.now().Add(-5 * 24 * time.Hour)
			if last := all[len(all)-1]; len(all) < 3 || last.Cursor.After(row) {
				t.Errorf("%d entries, up to %s: the record of %s was not returned", len(all), last.Cursor, row)
			}
			if err := w.process(w.positions, w.objects).RunOnce(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.checkArchive(w.objects, w.positions)
		})
	}
}

// A count may be wrong, for example if the server ignores the filter. Such a count proves no window, and stops no stream.
func TestUnusableCount(t *testing.T) {
	w := month(t, bloodhoundtest.V84, 3000)
	s := w.withhold(func(body string) string {
		at := strings.Index(body, `"count":`)
		if at < 0 {
			return body
		}
		end := at + strings.IndexAny(body[at:], ",}")
		return body[:at] + `"count":77` + body[end:]
	})
	if err := w.through(s).RunOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.checkArchive(w.objects, w.positions)
	for _, entry := range w.entries() {
		if entry.Records.Read > 0 && entry.ServerCount.Status != checkpoint.CountUnknown {
			t.Errorf("entry %d has the count %+v", entry.Serial, entry.ServerCount)
		}
	}
}

// Without VERIFY_COUNT the exporter asks for no count.
func TestVerifyCountOff(t *testing.T) {
	w := month(t, bloodhoundtest.V84, 500)
	e := w.process(w.positions, w.objects)
	e.VerifyCount = false
	if err := e.RunOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, entry := range w.entries() {
		if entry.ServerCount.Status != checkpoint.CountOff {
			t.Errorf("entry %d has the count %+v", entry.Serial, entry.ServerCount)
		}
	}
}

// counter counts the requests that only ask for a count.
type counter struct {
	exporter.Source
	asked int
}

func (c *counter) Count(ctx context.Context, from time.Time) (int64, bool, error) {
	c.asked++
	return c.Source.Count(ctx, from)
}

// If no page brought counts along, two counts prove a window: one from its end on, and one from its beginning on. If no record
// is from the end on, they also show that the server obeys the filter. If there are such records, the exporter needs a third
// count.
func TestCountsAskedFor(t *testing.T) {
	w := month(t, bloodhoundtest.V84, 100)
	if err := w.process(w.positions, w.objects).RunOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name  string
		rows  []bloodhoundtest.Row
		asked int
		want  checkpoint.ServerCount
	}{
		{"nothing", nil, 3, checkpoint.ServerCount{Status: checkpoint.CountExact}},
		{"a record", []bloodhoundtest.Row{{Action: "Something"}}, 2, checkpoint.ServerCount{Status: checkpoint.CountExact, AtLeast: 1, AtMost: 1}},
	} {
		w.pass(2 * time.Hour)
		for _, row := range test.rows {
			row.CreatedAt = w.now().Add(-time.Hour)
			w.server.Add(row)
		}
		e := w.process(w.positions, w.objects)
		source := &counter{Source: e.Source}
		e.Source = source
		if err := e.RunOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		all := w.entries()
		last := all[len(all)-1]
		if diff := cmp.Diff(&test.want, last.ServerCount); diff != "" || last.Records.Read != len(test.rows) {
			t.Errorf("%s: read %d; the server's count (-want +got):\n%s", test.name, last.Records.Read, diff)
		}
		if source.asked != test.asked {
			t.Errorf("%s: asked for a count %d times, want %d", test.name, source.asked, test.asked)
		}
	}
}
