package crashtest

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink/sinktest"
	"github.com/houndtrail/houndtrail/sink/webhook"
)

// fewErrors is how many wrong records a judgement names one by one.
const fewErrors = 10

// A verdict has the figures of a judgement.
type verdict struct {
	served            int
	archived, twice   int // records in the archive, and the repeats among them
	objects, late     int
	again, stragglers int            // windows of rescans, and the records that they found; of both streams
	windows           map[string]int // by stream
	events, repeated  int            // in the log store, each id once; and lines beyond the first of an id
	missing, unserved int
	compactions       int
}

// expected is every record that was served, by id.
func expected(rows []bloodhoundtest.Row) map[int64]record.Record {
	want := make(map[int64]record.Record, len(rows))
	for _, row := range rows {
		want[row.ID] = recordOf(&row)
	}
	return want
}

// recordOf is the record of a row.
func recordOf(row *bloodhoundtest.Row) record.Record {
	r := record.Record{
		ID: row.ID, CreatedAt: row.CreatedAt.UTC(),
		ActorID: row.ActorID, ActorName: row.ActorName, ActorEmail: row.ActorEmail, Action: row.Action,
		Fields: string(row.Fields), RequestID: row.RequestID, SourceIP: row.SourceIP, CommitID: row.CommitID,
		Status: row.Status,
	}
	if r.CommitID == "" {
		r.CommitID = "00000000-0000-0000-0000-000000000000"
	}
	if r.Fields == "" || r.Fields == "null" {
		r.Fields, r.Absent = "", record.Of("fields")
	}
	return r
}

// judgeArchive compares the archive with the served rows: every record is there once and unchanged, in its own day, and there
// is no other record. Every object is in the journal once, with the bytes that it has.
func judgeArchive(t *testing.T, p *place, source string, rows []bloodhoundtest.Row, v *verdict) {
	t.Helper()
	accounted := judgeJournals(t, p, checkpoint.Identity{
		Tenant: tenant, Stream: archiveStream, Source: source, Destination: p.url + "/archive", Encoding: "parquet",
	}, v)
	want := expected(rows)
	v.served = len(want)
	seen := make(map[int64]bool, len(want))
	keys, err := p.archive.List(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		body, _, _, err := p.archive.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(body)
		if accounted[key] != hex.EncodeToString(sum[:]) {
			t.Errorf("%s is not what the journal says of it: %q", key, accounted[key])
		}
		v.objects++
		for _, r := range sinktest.ReadParquet(t, body) {
			judgeRecord(t, key, r, want, seen, v)
		}
	}
	if v.objects != len(accounted) {
		t.Errorf("%d objects, and %d in the journal", v.objects, len(accounted))
	}
	for id, r := range want {
		if !seen[id] {
			if v.missing++; v.missing <= fewErrors {
				t.Errorf("id %d of %s was lost", id, r.CreatedAt)
			}
		}
	}
	if v.archived != v.served || v.twice+v.missing+v.unserved > 0 {
		t.Errorf("%d records served, %d archived: %d lost, %d twice, %d never served", v.served, v.archived, v.missing, v.twice, v.unserved)
	}
}

func judgeRecord(t *testing.T, key string, got record.Record, want map[int64]record.Record, seen map[int64]bool, v *verdict) {
	t.Helper()
	v.archived++
	r, served := want[got.ID]
	switch {
	case !served:
		if v.unserved++; v.unserved <= fewErrors {
			t.Errorf("id %d in %s was never served", got.ID, key)
		}
	case seen[got.ID]:
		if v.twice++; v.twice <= fewErrors {
			t.Errorf("id %d is there twice, again in %s", got.ID, key)
		}
	case got != r:
		t.Errorf("id %d is archived otherwise than it was served:\n%s", got.ID, cmp.Diff(r, got))
	}
	seen[got.ID] = true
	if !strings.Contains(key, "/dt="+got.CreatedAt.Format(time.DateOnly)+"/") {
		t.Errorf("id %d of %s is in %s", got.ID, got.CreatedAt, key)
	}
}

// judgeJournals verifies a stream's journal, and its backfills' journal if there were any.
func judgeJournals(t *testing.T, p *place, id checkpoint.Identity, v *verdict) map[string]string {
	t.Helper()
	objects := map[string]string{}
	judgeJournal(t, p, id, objects, v)
	if p.backfilled {
		id.Stream += "-backfill"
		judgeJournal(t, p, id, objects, v, checkpoint.AnyOrder())
	}
	return objects
}

// judgeJournal verifies that the entries account for all of the time without a gap (except in a backfill's journal), and adds
// the objects by their SHA-256.
func judgeJournal(
	t *testing.T, p *place, id checkpoint.Identity, objects map[string]string, v *verdict, scattered ...checkpoint.Option,
) {
	t.Helper()
	var cursor time.Time
	for entry, err := range checkpoint.Open(p.positions, id, scattered...).Entries(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if entry.Compacted != nil {
			judgeCompaction(t, entry, objects)
			v.compactions++
			continue
		}
		rescan := entry.Window.Pass > 0
		switch {
		case len(scattered) > 0: // any window may follow any other
		case rescan && !entry.Cursor.Equal(cursor):
			t.Errorf("%s: entry %d reads once more, and moves the cursor from %s to %s", id.Stream, entry.Serial, cursor, entry.Cursor)
		case !rescan && !cursor.IsZero() && !entry.Window.Start.Equal(cursor):
			t.Errorf("%s: entry %d starts at %s, the one before ended at %s", id.Stream, entry.Serial, entry.Window.Start, cursor)
		}
		cursor = entry.Cursor
		if rescan {
			v.again++
			v.stragglers += entry.Records.Fresh
		}
		if v.windows == nil {
			v.windows = map[string]int{}
		}
		v.windows[id.Stream]++
		n := 0
		for _, o := range entry.Objects {
			if _, twice := objects[o.Key]; twice {
				t.Errorf("%s: %s is in two entries", id.Stream, o.Key)
			}
			objects[o.Key] = o.SHA256
			n += o.Records
		}
		if n != entry.Records.Fresh || entry.Records.Fresh+entry.Records.Duplicate != entry.Records.Read {
			t.Errorf("%s: entry %d: %d records in objects, counts %+v", id.Stream, entry.Serial, n, entry.Records)
		}
		if id.Stream == archiveStream {
			v.late += entry.Records.Late
		}
	}
}

// judgeCompaction takes the replaced objects away from the others, and adds the new one.
func judgeCompaction(t *testing.T, entry checkpoint.Stored, objects map[string]string) {
	t.Helper()
	for _, r := range entry.Compacted.Replaced {
		if objects[r.Key] != r.SHA256 {
			t.Errorf("entry %d replaces %s, which was not there", entry.Serial, r.Key)
		}
		delete(objects, r.Key)
	}
	for _, o := range entry.Objects {
		objects[o.Key] = o.SHA256
	}
}

// judgeWebhook compares the log store with the served rows. A window may be there again after a crash or a lost answer: a
// receiver drops it by event_id, and judgeWebhook counts the repeated lines.
func (w *world) judgeWebhook(p *place, v *verdict) {
	w.t.Helper()
	sink, err := webhook.New(webhook.Options{URL: w.webhook, Tenant: tenant})
	if err != nil {
		w.t.Fatal(err)
	}
	judgeJournals(w.t, p, checkpoint.Identity{
		Tenant: tenant, Stream: webhookStream, Source: w.api, Destination: sink.String(), Encoding: "ndjson",
	}, v)
	if v.late == 0 || v.stragglers == 0 { // this depends on the machine, so it is no reason to fail
		w.t.Logf("%d rows came late, and rescans have found %d: this run proves less than others", v.late, v.stragglers)
	}
	got := w.events()
	for _, row := range w.server.Rows() {
		id := fmt.Sprintf("%s/%d/%d", tenant, row.ID, row.CreatedAt.UnixMicro())
		if got[id] == 0 {
			w.t.Errorf("the log store lacks %s of %s", id, row.CreatedAt)
			if v.missing++; v.missing > fewErrors {
				break
			}
		} else {
			v.events++
			v.repeated += got[id] - 1
		}
		delete(got, id)
	}
	if len(got) > 0 && v.missing == 0 {
		w.t.Errorf("the log store has %d ids that were never served", len(got))
	}
}

// events is how often each event id is in the log store.
func (w *world) events() map[string]int {
	w.t.Helper()
	ask := func(path string) *http.Response {
		request, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.siem.URL+path, http.NoBody)
		if err != nil {
			w.t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil || answer.StatusCode != http.StatusOK {
			w.t.Fatalf("GET %s: %v %v", path, answer, err)
		}
		return answer
	}
	ask("/internal/force_flush").Body.Close()
	answer := ask("/select/logsql/query?query=" + url.QueryEscape("* | fields event_id"))
	defer answer.Body.Close()
	ids := map[string]int{}
	lines := bufio.NewScanner(answer.Body)
	for lines.Scan() {
		var line struct {
			EventID string `json:"event_id"`
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			w.t.Fatalf("%s: %v", lines.Bytes(), err)
		}
		ids[line.EventID]++
	}
	if err := lines.Err(); err != nil {
		w.t.Fatal(err)
	}
	return ids
}

// String is the figures of a verdict, for people.
func (v *verdict) String() string {
	s := fmt.Sprintf("%d records served, %d archived in %d objects, %d twice, %d lost; %d came late; %d windows committed to the archive",
		v.served, v.archived, v.objects, v.twice, v.missing, v.late, v.windows[archiveStream])
	if v.again > 0 {
		s += fmt.Sprintf("; %d windows of rescans found %d records", v.again, v.stragglers)
	}
	if v.compactions > 0 {
		s += fmt.Sprintf("; %d compactions", v.compactions)
	}
	if n := v.windows[archiveStream+"-backfill"]; n > 0 {
		s += fmt.Sprintf("; %d windows of backfills, and %d to the webhook", n, v.windows[webhookStream+"-backfill"])
	}
	if n := v.windows[webhookStream]; n > 0 {
		s += fmt.Sprintf(", %d to the webhook; log store: %d ids, %d lines repeated", n, v.events, v.repeated)
	}
	return s
}
