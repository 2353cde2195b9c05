package checkpoint

import (
	"fmt"
	"iter"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint/seal"
)

// A Sighting describes the far end of the source's history. Houndtrail renews it about once a day. In the meantime, each entry
// copies it from the previous one.
type Sighting struct {
	CreatedAt time.Time `json:"created_at"` // the source has no record before it
	SeenAt    time.Time `json:"seen_at"`    // the time of the last look, by the source's clock
	// Kept and Gone are two ages, in seconds, of the oldest record that vanished last. Kept is its age when it was last seen, and
	// Gone is its age when it was gone. The source drops records at an age between the two. Both are 0 if no record has vanished
	// yet.
	Kept int64 `json:"kept_seconds,omitempty"`
	Gone int64 `json:"gone_seconds,omitempty"`
	// Looks is the number of times that Houndtrail has looked for the oldest record.
	Looks int `json:"looks,omitempty"`
}

// Next is the sighting after another look at the time now. The oldest record of the source was created at oldest.
func (s Sighting) Next(oldest, now time.Time) Sighting {
	next := Sighting{CreatedAt: oldest, SeenAt: now, Kept: s.Kept, Gone: s.Gone, Looks: s.Looks + 1}
	if !s.SeenAt.IsZero() && oldest.After(s.CreatedAt) {
		next.Kept = int64(s.SeenAt.Sub(s.CreatedAt) / time.Second)
		next.Gone = int64(now.Sub(s.CreatedAt) / time.Second)
	}
	return next
}

// A History is a time before the start of a stream. Records appeared in it after the stream had begun. The stream walks it in
// windows of a separate pass, and accounts for it when the walk is done.
type History struct {
	From  time.Time `json:"from"`  // no record is before it
	Next  time.Time `json:"next"`  // everything from From to here is delivered
	Until time.Time `json:"until"` // the start of the stream
	Pass  uint64    `json:"pass"`
}

// Counts tells how the records that were read divide. Read + Released = Fresh + Duplicate + Excluded + Held.
type Counts struct {
	Read      int `json:"read"`      // rows that the server returned, each id once
	Fresh     int `json:"fresh"`     // new: delivered by this commit, or in its Refused
	Duplicate int `json:"duplicate"` // delivered by an earlier commit
	Late      int `json:"late"`      // new records that are older than the window
	// Self counts new rows that are only the trace of our own polling, on servers that audit every request. They are part of
	// Fresh. If the stream leaves them out, they are part of Excluded.
	Self     int `json:"self,omitempty"`
	Excluded int `json:"excluded,omitempty"` // new rows that the settings leave out; the stream never delivers them
	Filtered int `json:"filtered,omitempty"` // those of Excluded that the stream's filter leaves out
	// Diverted counts those of Fresh that the receiver has stored in another place than Houndtrail asked for.
	Diverted int `json:"diverted,omitempty"`

	// These are of a stream that pairs intents with their outcomes.
	Held     int `json:"held,omitempty"`     // new intents that wait for their outcomes from now on
	Paired   int `json:"paired,omitempty"`   // those of Excluded that are intents: their outcomes have their times
	Matched  int `json:"matched,omitempty"`  // intents that waited, and whose outcomes are in Fresh
	Released int `json:"released,omitempty"` // intents that waited, and are in Fresh or Filtered, since no outcome came
}

// News is the number of new rows that our own polling did not cause.
func (c Counts) News() int { return c.Fresh + c.Excluded + c.Held - c.Self }

// An Intent is a record that waits for its outcome. Houndtrail has read it, and will not ask the source for it again.
type Intent struct {
	ID        int64     `json:"id"`
	CreatedAt time.Time `json:"created_at"`
	CommitID  string    `json:"commit_id"`
	Action    string    `json:"action"`
	Record    string    `json:"record"` // its JSON, exactly as the server sent it
}

func (i Intent) utc() Intent { i.CreatedAt = i.CreatedAt.UTC(); return i }

// Totals adds up all entries so far.
type Totals struct {
	Delivered int64 `json:"delivered"`          // records; after an adoption, the archive's records and the later ones
	Objects   int64 `json:"objects"`            // the objects that were delivered
	Bytes     int64 `json:"bytes"`              // of the objects
	Filtered  int64 `json:"filtered,omitempty"` // records that a filter left out
	Diverted  int64 `json:"diverted,omitempty"` // records that the receiver has stored in another place
	Paired    int64 `json:"paired,omitempty"`   // intents that were not sent, since their outcomes have their times
	Dropped   int64 `json:"dropped,omitempty"`  // records that a person dropped from the dead letter: they were never delivered
	// These count the records that were read in windows of the kinds export and history, by the status of the server's own count
	// of the window. Each record is in one of the three.
	Exact   int64 `json:"exact"`
	Bounded int64 `json:"bounded"`
	Unknown int64 `json:"unknown"` // anything else
}

// The status of the server's own count.
const (
	CountExact   = "exact"   // the server counted as many records as were read
	CountBounded = "bounded" // the number of read records lies between two counts that differ
	CountUnknown = "unknown" // this build of the server tells no count, or no usable one
	CountOff     = "off"     // the settings ask for no count
)

// ServerCount has the least and the most rows that the server itself counted in the part of a window that was read (Records.Read
// rows). The server counts at two different times, and rows may have come between them. If nothing was read, there is one count,
// and it is 0.
type ServerCount struct {
	Status  string `json:"status"`
	AtLeast int64  `json:"at_least"`
	AtMost  int64  `json:"at_most"`
}

// Object is one unit that the destination acknowledged: an archive object, or a webhook batch by its batch id.
type Object struct {
	Key          string    `json:"key"`
	Bytes        int64     `json:"bytes"`
	SHA256       string    `json:"sha256"`
	Records      int       `json:"records"`
	MinID        int64     `json:"min_id"`
	MaxID        int64     `json:"max_id"`
	MinCreatedAt time.Time `json:"min_created_at"`
	MaxCreatedAt time.Time `json:"max_created_at"`
	// RecordsRoot is the root of the tree over the rows of the object, in their order ([seal.Rows]). It proves one record without
	// any other record. A batch of the webhook has none.
	RecordsRoot seal.Hash `json:"records_root,omitzero"`
}

// Record names a record of the log.
type Record struct {
	ID        int64     `json:"id"`
	CreatedAt time.Time `json:"created_at"`
}

// A Hole is a record that Houndtrail could not take: the server cannot print it, or it does not look like a record.
type Hole struct {
	CreatedAt time.Time `json:"created_at"`       // the instant, as precisely as Houndtrail knows it
	ID        int64     `json:"id,omitempty"`     // 0 if unknown
	Key       string    `json:"key,omitempty"`    // of the object that keeps the raw bytes, if Houndtrail has them
	SHA256    string    `json:"sha256,omitempty"` // of those bytes
	Reason    string    `json:"reason"`
}

// Changes counts the delivered records that Houndtrail read again and found changed. They stay in the destination as they were.
type Changes struct {
	Altered int `json:"altered"` // records whose content at the source differs now; in a minute of many records, there may be more
	Gone    int `json:"gone"`    // records that are not at the source any more
	// Examples are some of them. In a minute of many records, an altered one may stand for a neighbour of the same minute.
	Examples []Record `json:"examples,omitempty"`
}

// Reset says that a person accepted another source than the previous one. Houndtrail no longer compares the records of the
// lineage that ends with the source.
type Reset struct {
	Lineage string `json:"lineage"` // the lineage that ends
	Reason  string `json:"reason"`  // as the person who accepted it gave it
}

// A Move says that a person moved the journal from another identity: the same archive has another address, the source has a new
// host name, or the tenant is another one. Earlier entries keep their identity.
type Move struct {
	From   Names  `json:"from"`
	Reason string `json:"reason"`
}

// An Adoption says that the position was rebuilt from the archive's own files, because the journal was lost. The earlier
// entries do not count any more.
type Adoption struct {
	Reason  string    `json:"reason"`
	Objects int       `json:"objects"` // the objects that the archive had
	Bytes   int64     `json:"bytes"`   // of these objects
	Records int64     `json:"records"` // in these objects
	From    time.Time `json:"from"`    // created_at of the first record
	To      time.Time `json:"to"`      // created_at of the last record
}

// A Mark names an entry of another journal.
type Mark struct {
	Serial uint64 `json:"serial"` // 0 for none
	SHA256 string `json:"sha256,omitempty"`
}

// Followed tells how far a stream has followed the archive from which it reads. The stream has delivered each record of the archive's
// entries up to these marks that was created before the stream's own cursor.
type Followed struct {
	Archive  Mark `json:"archive"`
	Backfill Mark `json:"backfill,omitzero"`
	// Whole tells that these entries have no record at or after the cursor. So the next cycle needs only the entries after them.
	Whole bool `json:"whole,omitempty"`
	// Late is the work on late records that the next entries go on with; nil if there is none.
	Late *LateWork `json:"late,omitempty"`
}

// LateWork tells how far a stream has delivered late records: those of the archive's entries after [Followed], up to these marks, that
// were created before the stream's cursor.
type LateWork struct {
	Archive  Mark      `json:"archive"`
	Backfill Mark      `json:"backfill,omitzero"`
	Next     time.Time `json:"next"` // all of them before this time are delivered
	Pass     uint64    `json:"pass"`
}

// Progress names the newest entry before one or more compactions, removals or lists of keys. Those must not hide how long ago the
// stream committed a window, nor how its last run ended.
type Progress struct {
	Serial      uint64    `json:"serial"`
	CommittedAt time.Time `json:"committed_at"`
}

// Receipt lists what a sink made durable: objects, and letters for the records that the destination refuses. Each record is in one
// of the two.
type Receipt struct {
	Objects  []Object
	Letters  []Letter
	Diverted int // records that the destination has stored in another place than Houndtrail asked for
}

// Writer names the program that wrote an entry.
type Writer struct {
	Version string `json:"version"`
	Host    string `json:"host"`
}

// Places are ascending places in a list, as runs. They give in turn the first place of a run, and the number of places that it
// has.
type Places []int

// Add adds a place that comes after all others.
func (p Places) Add(place int) Places {
	if n := len(p); n > 0 && p[n-2]+p[n-1] == place {
		p[n-1]++
		return p
	}
	return append(p, place, 1)
}

// All yields the places.
func (p Places) All() iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := 0; i+1 < len(p); i += 2 {
			for n := range p[i+1] {
				if !yield(p[i] + n) {
					return
				}
			}
		}
	}
}

// check refuses places that Add cannot make. It also refuses another number of places than there are in a list of that length.
func (p Places) check(number, list int) error {
	next, places := 0, 0
	for i := 0; i < len(p); i += 2 {
		if i+1 == len(p) || p[i] < next || i > 0 && p[i] == next || p[i+1] < 1 || p[i+1] > list-p[i] {
			return fmt.Errorf("%v are no places among %d", []int(p), list)
		}
		next, places = p[i]+p[i+1], places+p[i+1]
	}
	if places != number {
		return fmt.Errorf("there are %d places for %d records", places, number)
	}
	return nil
}

// A Base names the earlier set of delivered ids on which an entry's own set builds.
type Base struct {
	// Serial is the entry that has the set whole. The changes of the entries after it, in order, make this entry's set.
	Serial uint64 `json:"serial"`
	// SHA256 names the snapshot of the set at that entry; "" if that entry itself has the set.
	SHA256 string `json:"sha256,omitempty"`
}

// base is the Base of an entry. An entry that has its set whole has one, too.
func (c *Checkpoint) base() Base {
	if c.DeliveredBase != nil {
		return *c.DeliveredBase
	}
	return Base{Serial: c.Serial}
}

// fits tells whether an entry can have this base.
func (b Base) fits(c *Checkpoint) bool {
	if b.Serial == c.Serial {
		return b.SHA256 != "" && len(c.Delivered) == 0
	}
	return b.Serial > 0 && b.Serial < c.Serial && c.Kind != KindAdopt // an adoption must not depend on lost entries
}

// Next is the Base of the entry after this one, if the Delivered of that entry has only the changes to the set.
func (c *Checkpoint) Next() *Base {
	base := c.base()
	return &base
}

// Unchanged returns the two fields for an entry after this one, if that entry does not change the set of delivered ids.
func (c *Checkpoint) Unchanged() (delivered []byte, base *Base) {
	if c.DeliveredBase == nil {
		return c.Delivered, nil
	}
	return nil, c.Next()
}
