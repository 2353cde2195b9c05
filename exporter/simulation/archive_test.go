package simulation

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink/archive/read"
	"github.com/houndtrail/houndtrail/sink/sinktest"
)

// An archive has the records of all objects, updated after each written object.
type archive struct {
	files map[string]*file
	where map[identity]string // the object that a record is in
}

// A file is one object.
type file struct {
	sha       string
	ids       []identity
	start     time.Time // the start of its window, by its key
	pass      uint64    // the pass of its window, by its key
	again     bool      // an earlier pass already walked its window
	past      bool      // it starts before the stream does: a backfill wrote it
	committed bool
	since     time.Time // when it was committed
	by        string    // the process that wrote it

	product    bool  // a compaction wrote it
	replacedBy *file // the object of a committed compaction that has its records
	forgotten  bool  // an entry says that a person removed it on purpose
}

func newArchive() archive {
	return archive{files: map[string]*file{}, where: map[identity]string{}}
}

var fileKey = regexp.MustCompile(`^audit/tenant=acme\.example/dt=(\d{4}-\d\d-\d\d)/(\d{8}T\d{6}\.\d{6}Z)(-\d+)?(?:\.part\d+)?(\.compact\d+)?\.(ndjson\.gz|parquet)$`)

// judgeObject compares a newly written object with all others. Each record is in one object, of its own day. No earlier record is
// lost, and a committed object does not change.
func (w *world) judgeObject(p *process, key string, body []byte, began time.Time) {
	if key == read.ProbeKey(tenant) {
		return
	}
	name := fileKey.FindStringSubmatch(key)
	if name == nil {
		w.fail("%s writes an object called %s", p.name, key)
		return
	}
	if name[4] != "" {
		w.judgeProduct(p, key, name[5], body, began)
		return
	}
	j := w.journals[archiveStream]
	if j.lost != lostNot {
		w.fail("%s writes %s, and its journal is gone", p.name, key)
	}
	pass, _ := strconv.ParseUint(strings.TrimPrefix(name[3], "-"), 10, 64)
	f := &file{sha: digest(body), by: p.name, pass: pass, again: pass != j.epoch}
	f.start, _ = time.Parse("20060102T150405.000000Z", name[2])
	f.past = f.start.Before(w.from)
	f.ids = w.contents(body, name[5])
	if w.isForgotten(key) {
		w.comesBack(p, key, f, began)
		return
	}
	if !f.past && !j.lease.declares(f) {
		w.fail("%s writes %s, of a window that is not declared", p.name, key)
	}
	old := w.archive.files[key]
	if old != nil {
		w.replace(p, key, old, f)
	} else if !f.again && !f.past && f.start.Before(j.cursor) {
		w.fail("%s writes %s, of a window that was committed without it", p.name, key)
	}
	w.archive.files[key] = f
	for _, id := range f.ids {
		if other, there := w.archive.where[id]; there {
			w.fail("%s writes %v into %s, which is in %s already", p.name, id, key, other)
		}
		if day := time.UnixMicro(id.micros).UTC().Format(time.DateOnly); day != name[1] {
			w.fail("%s writes %v of %s into %s", p.name, id, day, key)
		}
		w.archive.where[id] = key
	}
	w.tally["objects"]++
}

// replace removes the records of a replaced object from the archive's account.
func (w *world) replace(p *process, key string, old, by *file) {
	w.tally["objects replaced"]++
	if old.committed && old.sha != by.sha {
		w.fail("%s replaces %s, which was committed, by something else", p.name, key)
	}
	kept := map[identity]bool{}
	for _, id := range by.ids {
		kept[id] = true
	}
	for _, id := range old.ids {
		delete(w.archive.where, id)
		if row := w.rows[id]; !kept[id] && row != nil && !row.gone {
			w.fail("%s replaces %s without %v, which was in it", p.name, key, id)
		}
	}
}

// contents reads an object, and checks that each record is the same as at the server.
func (w *world) contents(body []byte, extension string) (ids []identity) {
	if extension == "parquet" {
		var records []record.Record
		library.run(func() { records = sinktest.ReadParquet(w.t, body) })
		for _, r := range records {
			id := identity{r.ID, r.CreatedAt.UnixMicro()}
			ids = append(ids, id)
			w.judgeRecord(id, &r)
		}
		return ids
	}
	text, err := gunzip(body)
	if err != nil {
		w.fail("an object cannot be unpacked: %v", err)
	}
	for line := range bytes.Lines([]byte(text)) {
		id, err := eventOf(string(line))
		if err != nil {
			w.fail("an object has the line %q: %v", line, err)
		}
		ids = append(ids, id)
		w.judgeLine(id, string(line))
	}
	return ids
}

// judgeLine checks a line against its row. It does so once: from then on, the line must not change.
func (w *world) judgeLine(id identity, line string) {
	row := w.rowOf(id)
	switch {
	case row == nil:
		w.fail("record %v was never in the log: %s", id, line)
		return
	case row.line == line:
		return
	case row.line != "":
		w.fail("record %v is written as\n%sand as\n%s", id, row.line, line)
		return
	}
	row.line = line
	var r struct {
		ID        int64           `json:"id"`
		CreatedAt time.Time       `json:"created_at"`
		ActorID   string          `json:"actor_id"`
		Name      string          `json:"actor_name"`
		Email     string          `json:"actor_email"`
		Action    string          `json:"action"`
		Fields    json.RawMessage `json:"fields"`
		RequestID string          `json:"request_id"`
		SourceIP  string          `json:"source_ip_address"`
		Status    string          `json:"status"`
	}
	if err := json.Unmarshal([]byte(line), &r); err != nil {
		w.fail("record %v has the line %q: %v", id, line, err)
		return
	}
	fields := string(r.Fields)
	if fields == "null" {
		fields = ""
	}
	w.judgeRecord(id, &record.Record{
		ID: r.ID, CreatedAt: r.CreatedAt, ActorID: r.ActorID, ActorName: r.Name, ActorEmail: r.Email, Action: r.Action,
		Fields: fields, RequestID: r.RequestID, SourceIP: r.SourceIP, Status: r.Status,
	})
}

func (w *world) judgeRecord(id identity, r *record.Record) {
	row := w.rowOf(id)
	if row == nil {
		w.fail("record %v was never in the log: %+v", id, r)
		return
	}
	fields := string(row.Fields)
	if fields == "null" {
		fields = ""
	}
	same := r.ID == row.ID && r.CreatedAt.Equal(row.CreatedAt) && r.ActorID == row.ActorID && r.ActorName == row.ActorName &&
		r.ActorEmail == row.ActorEmail && r.Action == row.Action && r.Fields == fields && r.RequestID == row.RequestID &&
		r.SourceIP == row.SourceIP && r.Status == row.Status
	if !same {
		w.fail("record %v is written as\n%+v\nbut the log has\n%+v", id, r, row.Row)
	}
}

// operate does the work of a person. The log was pruned between two attempts, so the second one no longer gets records that the
// first one wrote. The person reads that, and moves the object out of the archive as the error says.
func (w *world) operate() {
	for key, f := range w.archive.files {
		if f.committed || f.product || f.forgotten || !w.anyGone(f.ids) {
			continue
		}
		w.objects.Remove(key)
		delete(w.archive.files, key)
		for _, id := range f.ids {
			delete(w.archive.where, id)
		}
		w.tally["objects moved away by hand"]++
		w.note("operator", "moves %s out of the archive", key)
	}
}

func (w *world) anyGone(ids []identity) bool {
	for _, id := range ids {
		if row := w.rows[id]; row != nil && row.gone {
			return true
		}
	}
	return false
}

func (w *world) allGone(ids []identity) bool {
	for _, id := range ids {
		if row := w.rows[id]; row == nil || !row.gone {
			return false
		}
	}
	return true
}

func digest(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}
