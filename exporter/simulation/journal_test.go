package simulation

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/webhook/deadletter"
)

// A journal has the content of a stream's entries so far.
type journal struct {
	name    string
	origin  string // from the latest entry
	serial  uint64
	sha     string // from the latest entry
	lineage string
	cursor  time.Time
	known   time.Time // the time from which it knows the delivered records
	begins  time.Time // the start that the user asked for; zero for the oldest record
	newest  time.Time // the creation time of the newest delivered record
	last    identity  // of that record
	debt    debt
	epoch   uint64 // of the lineage
	resets  int    // the number of earlier lineages
	history bool   // records came to light, and it has not walked over them yet
	refuses bool   // the source no longer has the newest record, and no person has accepted that

	windows []window.Window // for a backfill
	memory

	lost    loss              // for the time while it is gone
	away    *journal          // the journal as it was
	objects map[string][]byte // the objects of that journal
	lease   lease
}

// A lease is the lease object as last written.
type lease struct {
	Token   string          `json:"token"`
	State   string          `json:"state"`
	Intents []window.Window `json:"intents"`
	written time.Time       // by the stores' clock
}

// declares tells whether an object is of a declared window.
func (l lease) declares(f *file) bool {
	return slices.ContainsFunc(l.Intents, func(w window.Window) bool { return w.Start.Equal(f.start) && w.Pass == f.pass })
}

// judgePut checks a process's latest write.
func (w *world) judgePut(p *process, to part, key string, body []byte, began time.Time) {
	stream, name, _ := strings.Cut(key, "/")
	j := w.journals[stream]
	if j != nil && to == positions {
		p.traces[stream].objects++
	}
	switch {
	case to == objects:
		w.judgeObject(p, key, body, began)
	case j == nil:
		w.fail("%s writes %s among the positions", p.name, key)
	case name == "state/lease.json":
		w.judgeLease(p, j, body)
	case name == "state/latest":
		w.judgeNote(p, j, body)
	case strings.HasPrefix(name, "tile/"): // hashes of entries, which a reader of the journal does not need
	case strings.HasPrefix(name, deadletter.Folder): // its entry tells whether it is a letter
		w.tally["letters written"]++
	case strings.HasPrefix(name, "delivered/"):
		w.judgeSnapshot(p, j, path.Base(name), body)
	case !checkpoint.Rewritten(key): // the others are hints, and nothing depends on them
		p.traces[stream].entries++
		w.judgeEntry(p, j, key, body, began)
	}
}

// judgeLease checks that no process takes a lease that another one holds.
func (w *world) judgeLease(p *process, j *journal, body []byte) {
	next := lease{written: w.storesNow()}
	if err := json.Unmarshal(body, &next); err != nil {
		w.fail("%s writes the lease %q: %v", p.name, body, err)
		return
	}
	before := j.lease
	j.lease = next
	p.traces[j.name].freely = p.traces[j.name].freely || before.State == "released" && before.Token != next.Token
	if len(next.Intents) > 1 {
		w.tally["windows in flight together"]++
	}
	w.tempt(j.name, next.Intents, w.dice(p.name+j.name, uint64(rounded(time.Now()).UnixMicro())))
	if before.State != "held" || before.Token == next.Token || w.locks {
		return
	}
	w.tally["leases taken over"]++
	if age := next.written.Sub(before.written); age < w.ttl {
		w.fail("%s takes the lease of the %s, which was renewed %s ago", p.name, j.name, age)
	}
}

// judgeEntry checks an entry against the entries before it, the destination and the log.
func (w *world) judgeEntry(p *process, j *journal, key string, body []byte, began time.Time) {
	var e checkpoint.Checkpoint
	if err := json.Unmarshal(body, &e); err != nil {
		w.fail("%s writes the entry %q: %v", p.name, body, err)
		return
	}
	w.judgeKeys(p, j, e, body)
	if e.Kind == checkpoint.KindKeys {
		w.judgeList(p, j, e, body)
		return
	}
	if e.Kind == checkpoint.KindReset || e.Kind == checkpoint.KindAdopt {
		if e.Serial != j.serial+1 || e.PreviousSHA256 != j.sha {
			w.fail("entry %d of %s does not follow entry %d", e.Serial, p.name, j.serial)
		}
		j.serial, j.sha = e.Serial, digest(body)
		w.judgeBeginning(p, j, e)
		w.judgeSet(p, j, e)
		return
	}
	if e.Kind == checkpoint.KindCompact {
		w.judgeCompaction(p, j, key, e, digest(body))
		return
	}
	if e.Kind == checkpoint.KindForget {
		w.judgeForgetting(p, j, key, e, digest(body))
		return
	}
	if j.name == backfillStream {
		if e.Serial != j.serial+1 || e.PreviousSHA256 != j.sha {
			w.fail("entry %d of %s does not follow entry %d", e.Serial, p.name, j.serial)
		}
		j.serial, j.sha = e.Serial, digest(body)
		w.judgeBackfilled(p, j, e, began)
		return
	}
	if j.lost != lostNot || j.refuses {
		w.fail("%s commits entry %d of the %s, whose journal or newest record is gone", p.name, e.Serial, j.name)
	}
	again := e.Kind != checkpoint.KindExport && e.Kind != checkpoint.KindBarrier
	ahead := e.Kind == checkpoint.KindAhead
	first := w.following(j) && j.serial == 0 // it may have late records only
	switch start := e.Window.Start; {
	case path.Base(key) != fmt.Sprintf("%020d.json", j.serial+1) || e.Serial != j.serial+1:
		w.fail("%s writes entry %d as %s after entry %d", p.name, e.Serial, key, j.serial)
	case e.PreviousSHA256 != j.sha || j.serial > 0 && e.Lineage != j.lineage:
		w.fail("entry %d of %s does not follow the entry before", e.Serial, p.name)
	case again && !first && (ahead != e.Window.End.After(j.cursor) || !e.Cursor.Equal(j.cursor)):
		w.fail("entry %d of %s walks from %s to %s once more, and leaves the cursor at %s instead of %s",
			e.Serial, p.name, stamp(start), stamp(e.Window.End), stamp(e.Cursor), stamp(j.cursor))
	case !again && j.serial > 0 && !start.Equal(j.cursor):
		w.fail("entry %d of %s starts at %s, the one before ended at %s", e.Serial, p.name, stamp(start), stamp(j.cursor))
	case e.Window.End.Before(start) || !again && !e.Cursor.Equal(e.Window.End):
		w.fail("entry %d of %s goes from %s to %s, with the cursor at %s",
			e.Serial, p.name, stamp(start), stamp(e.Window.End), stamp(e.Cursor))
	}
	j.serial, j.sha, j.lineage, j.cursor = e.Serial, digest(body), e.Lineage, e.Cursor
	j.known = e.DeliveredSince
	if e.StartAsked {
		j.begins = e.Start
	}
	j.debt.pays(e)
	w.judgeHistory(p, j, e)
	if e.Newest != nil {
		j.newest, j.last = e.Newest.CreatedAt, identity{e.Newest.ID, e.Newest.CreatedAt.UnixMicro()}
	}
	w.note(p.name, "commits %s %d: %s to %s (pass %d), %d fresh of %d, %d late", j.name, e.Serial,
		stamp(e.Window.Start), stamp(e.Window.End), e.Window.Pass, e.Records.Fresh, e.Records.Read, e.Records.Late)
	w.tally["entries"]++
	if e.Window.Start.Equal(e.Window.End) {
		w.tally["commits kept out"]++
		w.judgeCounts(e, 0)
		w.judgeSet(p, j, e)
		return
	}
	if j.name == archiveStream {
		w.judgeObjects(e)
	} else {
		w.judgeBatches(e)
	}
	w.judgeSet(p, j, e)
	if ahead {
		w.tally["records from times to come"] += e.Records.Fresh
	}
	if e.Kind == checkpoint.KindHistory {
		w.tally["records that came to light"] += e.Records.Fresh
	}
	if again {
		w.tally["windows searched again"]++
		w.tally["stragglers"] += e.Records.Fresh
		if w.following(j) {
			w.judgeFollowed(p, j, e.Window.Start, e.Window.End, began)
		} else {
			w.judgeSpan(p.name, j, e.Window.Start, e.Window.End, began)
		}
	} else {
		w.tally["rows that came late"] += e.Records.Late
		w.judgeComplete(p, j, began)
	}
}

// judgeObjects checks that the archive has the objects that an entry names, and no other object of the time before it.
func (w *world) judgeObjects(e checkpoint.Checkpoint) {
	w.judgeCounts(e, w.judgeNamed(e))
	if e.Kind == checkpoint.KindExport {
		w.judgeReach(e)
	}
	for key, f := range w.archive.files {
		if f.committed || f.past || f.product || f.forgotten || !f.start.Before(e.Cursor) {
			continue
		}
		if behind := f.start.After(e.Window.Start) && f.pass == e.Window.Pass; behind && w.journals[archiveStream].lease.declares(f) {
			continue // it is written at the same time, and committed next
		}
		// If the server has since lost the records that an attempt left, they are in no other object. Then that object may stay.
		if !w.allGone(f.ids) {
			w.fail("entry %d leaves %s behind, which no entry accounts for", e.Serial, key)
		}
	}
	days, writers := map[string]bool{}, map[string]bool{}
	for _, o := range e.Objects {
		folder, _, _ := strings.Cut(o.Key, "/2")
		days[folder] = true
		if f := w.archive.files[o.Key]; f != nil {
			writers[f.by] = true
		}
	}
	if len(days) > 1 {
		w.tally["windows of several days"]++
	}
	if len(e.Objects) > len(days) {
		w.tally["windows in parts"]++
	}
	if len(writers) > 1 {
		w.tally["windows of which an earlier attempt left parts"]++
	}
}

// judgeReach checks that a due window delivers no record from before the overlap, because another attempt may not read that far.
func (w *world) judgeReach(e checkpoint.Checkpoint) {
	for _, o := range e.Objects {
		if o.MinCreatedAt.Before(e.Window.Start.Add(-w.overlap)) {
			w.fail("entry %d of the window from %s delivers a record of %s", e.Serial, stamp(e.Window.Start), stamp(o.MinCreatedAt))
		}
	}
}

// judgeNamed compares the objects of an entry with the facts in the entry, and counts their records.
func (w *world) judgeNamed(e checkpoint.Checkpoint) (n int) {
	for _, o := range e.Objects {
		f := w.archive.files[o.Key]
		switch {
		case f == nil:
			w.fail("entry %d accounts for %s, which is not there", e.Serial, o.Key)
			return n
		case f.sha != o.SHA256 || len(f.ids) != o.Records:
			w.fail("entry %d says of %s that it has %d records and SHA-256 %s; there are %d and %s",
				e.Serial, o.Key, o.Records, o.SHA256, len(f.ids), f.sha)
		case f.committed:
			w.fail("entry %d accounts for %s, as another one did", e.Serial, o.Key)
		case !f.start.Equal(e.Window.Start):
			w.fail("entry %d of the window from %s has the object %s", e.Serial, stamp(e.Window.Start), o.Key)
		}
		f.committed, f.since = true, time.Now()
		n += o.Records
	}
	return n
}

// judgeBatches checks that the receiver has the batches that an entry names.
func (w *world) judgeBatches(e checkpoint.Checkpoint) {
	n := 0
	for _, o := range e.Objects {
		ids, there := w.receiver.batches[strings.TrimPrefix(o.Key, "batch/")]
		if !there || len(ids) != o.Records {
			w.fail("entry %d says that %s has %d records; %d have arrived", e.Serial, o.Key, o.Records, len(ids))
		}
		for _, id := range ids {
			if event := w.receiver.events[id]; event.committed.IsZero() || event.lineage < w.journals[webhookStream].resets {
				event.committed, event.lineage = time.Now(), w.journals[webhookStream].resets
			} else if !w.follows || !w.compacts {
				w.fail("entry %d accounts for event %v, as another one did", e.Serial, id)
			}
		}
		n += o.Records
	}
	w.judgeCounts(e, n+w.judgeLetters(e))
}

func (w *world) judgeCounts(e checkpoint.Checkpoint, n int) {
	if c := e.Records; c.Fresh != n || c.Fresh+c.Duplicate != c.Read {
		w.fail("entry %d counts %+v, with %d records delivered", e.Serial, c, n)
	}
}

// rowOf returns the row of a record; nil if the log never had it.
func (w *world) rowOf(id identity) *row {
	if w.rows[id] == nil {
		w.learn()
	}
	return w.rows[id]
}

// learn adds the rows that the server itself made from the requests that it got.
func (w *world) learn() {
	if !w.selfAudited() {
		return
	}
	for _, r := range w.api.Rows() {
		if id := (identity{r.ID, r.CreatedAt.UnixMicro()}); w.rows[id] == nil {
			row := w.row(time.Now(), r.CreatedAt, 0)
			row.Row = r
			w.rows[id] = row
		}
	}
}
