package replay

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter/bloodhound"
)

const (
	grain = time.Microsecond
	day   = 24 * time.Hour
	// mostObjects is how many objects a catalog holds, each with about 400 bytes. If there are more, it holds the first ones by time.
	mostObjects = 50_000
)

// A query says what a catalog has to know.
type query struct {
	after time.Time // of objects with an earlier last record, only the late ones count
	// late asks for the late records, see [exporter.Follower]: those of entries after from that were created from floor on, and before
	// cursor.
	late          bool
	from          checkpoint.Followed
	floor, cursor time.Time
	// upto are the last entries whose records count; nil for all. Of later entries, only compactions and removals count.
	upto  *checkpoint.Followed
	delta bool // from says that no earlier entry matters
}

// A catalog has the objects that hold the archive's records.
type catalog struct {
	query

	archive, backfill checkpoint.Stored // the newest entries that count
	live              map[string]Object
	pieces            map[string][]piece // the late records, by the object that has them now
	holes             []hole
	end               time.Time // no record is later
	until             time.Time // the catalog lacks objects whose first record is from then on; zero if it lacks none
	events            []event

	first, firstKin uint64              // the first entries that exist
	pruned          time.Time           // the cursor of the first entry of the archive's journal
	names           map[string]struct{} // every key that an entry names; nil if they are not needed
	most            int
}

// A piece is the records of an object from one instant to another, both included.
type piece struct {
	Object

	low, high time.Time
}

// A hole is a record, or are some, that the archive could not take, or that were removed from it.
type hole struct {
	bloodhound.Hole

	late bool
}

// An event is an entry after which the archive is not the one that it was.
type event struct {
	serial uint64
	what   string
}

// take adds what an entry says. counts is false for an entry of which only compactions and removals matter.
func (c *catalog) take(e *checkpoint.Stored, kin, counts, late bool) {
	switch {
	case e.Compacted != nil:
		c.replace(e)
		return
	case e.Forgotten != nil:
		c.remove(e)
		return
	case !counts:
		return
	case late && !kin:
		c.event(e)
	}
	for _, o := range e.Objects {
		object := objectOf(o)
		c.name(o.Key)
		c.add(object)
		if late {
			c.addLate(object)
		}
	}
	for _, h := range e.Holes {
		c.name(h.Key)
		told := bloodhound.Hole{CreatedAt: h.CreatedAt, ID: h.ID, Reason: "the archive has a hole: " + h.Reason}
		if told.CreatedAt.IsZero() { // the row has no time that can be read
			told.CreatedAt = e.Window.Start
		}
		c.holes = append(c.holes, hole{told, late && told.CreatedAt.Before(c.cursor) && !told.CreatedAt.Before(c.floor)})
	}
}

func objectOf(o checkpoint.Object) Object {
	return Object{
		Key: o.Key, Bytes: o.Bytes, SHA256: o.SHA256, Records: o.Records, From: o.MinCreatedAt.UTC(), To: o.MaxCreatedAt.UTC(),
	}
}

// event notes an entry by which a person changed the archive or its source.
func (c *catalog) event(e *checkpoint.Stored) {
	switch {
	case e.Reset != nil:
		c.events = append(c.events, event{e.Serial, "another source was accepted: " + e.Reset.Reason})
	case e.Moved != nil:
		c.events = append(c.events, event{e.Serial, "the archive was moved: " + e.Moved.Reason})
	case e.Adopted != nil:
		c.events = append(c.events, event{e.Serial, "the position was rebuilt from the archive's files: " + e.Adopted.Reason})
	}
}

func (c *catalog) name(key string) {
	if c.names != nil {
		c.names[key] = struct{}{}
	}
}

// add adds an object, unless it has no record of the wanted time.
func (c *catalog) add(o Object) {
	if o.To.After(c.end) {
		c.end = o.To
	}
	if o.To.Before(c.after) || !c.until.IsZero() && !o.From.Before(c.until) {
		return
	}
	if c.live[o.Key] = o; len(c.live) > c.most {
		c.cut()
	}
}

// cut keeps the first half of the objects by time.
func (c *catalog) cut() {
	all := c.objects()
	at := all[len(all)/2].From
	for _, o := range all {
		if !o.From.Before(at) {
			delete(c.live, o.Key)
		}
	}
	c.until = at
}

func (c *catalog) objects() []Object {
	all := make([]Object, 0, len(c.live))
	for _, o := range c.live {
		all = append(all, o)
	}
	slices.SortFunc(all, func(a, b Object) int { return cmp.Or(a.From.Compare(b.From), cmp.Compare(a.Key, b.Key)) })
	return all
}

func (c *catalog) addLate(o Object) {
	p := piece{o, o.From, o.To}
	if p.low.Before(c.floor) {
		p.low = c.floor
	}
	if !p.high.Before(c.cursor) {
		p.high = c.cursor.Add(-grain)
	}
	if !p.high.Before(p.low) {
		c.pieces[o.Key] = append(c.pieces[o.Key], p)
	}
}

// replace takes the objects away that a compaction replaced. Their records are in the new object: the times of the replaced ones tell
// which of its records are late.
func (c *catalog) replace(e *checkpoint.Stored) {
	made := objectOf(e.Objects[0])
	c.name(made.Key)
	for _, r := range e.Compacted.Replaced {
		c.name(r.Key)
		delete(c.live, r.Key)
		for _, p := range c.pieces[r.Key] {
			p.Object = made
			c.pieces[made.Key] = append(c.pieces[made.Key], p)
		}
		delete(c.pieces, r.Key)
	}
	c.add(made)
}

// remove takes the objects away that a person has removed. What the stream has not delivered of them becomes a hole.
func (c *catalog) remove(e *checkpoint.Stored) {
	why := func(o Object, from, to time.Time) bloodhound.Hole {
		return bloodhound.Hole{CreatedAt: from, Reason: fmt.Sprintf("houndtrail forget (entry %d of the archive) removed %s, with records "+
			"from %s to %s that were not sent before", e.Serial, o.Key, stamp(from), stamp(to))}
	}
	for _, r := range e.Forgotten.Removed {
		c.name(r.Key)
		if o, ok := c.live[r.Key]; ok {
			from := o.From
			if from.Before(c.after) {
				from = c.after
			}
			c.holes = append(c.holes, hole{why(o, from, o.To), false})
		}
		for _, p := range c.pieces[r.Key] {
			c.holes = append(c.holes, hole{why(p.Object, p.low, p.high), true})
		}
		delete(c.live, r.Key)
		delete(c.pieces, r.Key)
	}
}
