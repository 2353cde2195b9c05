// Package checkpoint keeps the position of a stream as a journal of immutable, hash-chained entries.
//
// One commit is one new object, <prefix>/<stream>/<17 digits>/<serial, 20 digits>.json. The store creates it only if it is absent:
// of two writers exactly one wins a serial. The 17 digits are the first ones of the serial: a folder has a thousand entries.
// Houndtrail never rewrites an entry, so the journal works in a bucket with Object Lock and reads like a log.
//
// Houndtrail rewrites only the objects under <stream>/state/. The lease keeps a second writer away, and names the windows that its
// holder is about to write. The note names the newest entry. A third object has the last sign of life of the runs, and tells how the
// last run ended, if it failed.
//
// The entries are the leaves of a Merkle tree. Each entry has a seal: the tree before it, and the head of that tree. If the
// journal has keys, the entry and the head are signed. Package seal has the formats.
//
// Only one part of a position can be large: the set of delivered ids. While the set is small, an entry has it whole. Otherwise an
// entry has the changes since the previous entry, on top of a snapshot. A snapshot is an object <stream>/delivered/<SHA-256>.
// Houndtrail writes it before the first entry that names it, and never rewrites it. A snapshot that no entry names does no harm.
//
// A journal belongs to its archive. If the journal is damaged, gone or another archive's, the stream stops. It never starts anew
// from nothing. A lifecycle rule may remove the oldest entries, but not the entries on which the newest entry builds. Such a
// pruned journal is whole from its first remaining entry on.
package checkpoint

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint/seal"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// The ways in which a journal can fail, to be tested with errors.Is. The errors that wrap them give the next step.
var (
	// ErrNotFound: the stream has no entry yet, and no other object says that it ever had one.
	ErrNotFound = errors.New("no checkpoint yet")
	// ErrConflict: another writer committed the serial first.
	ErrConflict = errors.New("commit conflict")
	// ErrSignature: the journal is signed, but no active key of this run vouches for it. Or this run has no key.
	ErrSignature = errors.New("the journal's signature does not fit")
	// ErrLeaseHeld: another runner holds the lease.
	ErrLeaseHeld = errors.New("lease held by another runner")
	// ErrForeign: the journal belongs to another tenant, source, destination, encoding or stream.
	ErrForeign = errors.New("journal of another stream")
	// ErrCorrupt: an entry is unreadable, missing, or breaks the hash chain.
	ErrCorrupt = errors.New("journal corrupt")
	// ErrRolledBack: the journal has fewer entries than one of its heads that is remembered elsewhere. The error is ErrCorrupt
	// too.
	ErrRolledBack error = historyError("the journal was rolled back")
	// ErrForked: the journal's history differs from one of its heads that is remembered elsewhere. The error is ErrCorrupt too.
	ErrForked error = historyError("the journal was forked")
	// ErrNewer: an entry needs a newer version of this program.
	ErrNewer = errors.New("journal of a newer version")
	// ErrUnconditional: the store carries out a write whose condition does not hold.
	ErrUnconditional = errors.New("no conditional writes")
	// ErrUnmoved: the journal already has the identity that Move should give it.
	ErrUnmoved = errors.New("nothing to move")
	// ErrKeys: a person ordered a change of the keys that is not possible, or a key of this run was ended.
	ErrKeys = errors.New("the keys stay as they are")
	// ErrUnfinished: an attempt was not committed. The journal can be moved only after that attempt is committed.
	ErrUnfinished = errors.New("an attempt is not finished")
)

// A historyError says that the journal differs from the one that is remembered elsewhere.
type historyError string

func (e historyError) Error() string { return string(e) }

// Is tells that such a journal is damaged, too.
func (e historyError) Is(target error) bool { return target == ErrCorrupt }

// Checkpoint is one journal entry: the records that a commit read and wrote, and the stream's position after it.
type Checkpoint struct {
	Format         int    `json:"format"`
	Kind           Kind   `json:"kind"`
	Tenant         string `json:"tenant"`
	Stream         string `json:"stream"`
	Lineage        string `json:"lineage"`         // UUID drawn at the stream's first entry, and at each reset and adoption
	Epoch          uint64 `json:"epoch,omitempty"` // names the lineage: a number above every pass before it; 0 for the first one
	Serial         uint64 `json:"serial"`          // 1 for the first entry
	PreviousSHA256 string `json:"previous_sha256"` // of the bytes of the previous entry; "" in the first

	Source      string `json:"source"`
	Destination string `json:"destination"`
	Encoding    string `json:"encoding"`

	Window window.Window `json:"window"`
	// Start is the beginning of the stream's account: it accounts for all time from Start to the cursor.
	Start      time.Time `json:"start,omitzero"`
	StartAsked bool      `json:"start_asked,omitempty"` // a person set the start, and wants no record before it
	Cursor     time.Time `json:"cursor"`                // everything before it is delivered
	MaxID      int64     `json:"max_id"`                // highest id that the lineage delivered
	// Newest is the latest record that the lineage delivered; nil if there is none. If the source is still the same one, it still
	// has this record.
	Newest *Record `json:"newest,omitempty"`
	// Delivered is the serialised set of the delivered ids with created_at >= DeliveredSince. With a Base, it has only this
	// entry's changes to the set. A search for late rows must not reach back before DeliveredSince: it would take delivered
	// records for new ones.
	Delivered      []byte    `json:"delivered"`
	DeliveredBase  *Base     `json:"delivered_base,omitempty"`
	DeliveredSince time.Time `json:"delivered_since"`
	// History is the remaining work on records that appeared before Start; nil if there are none.
	History *History `json:"history,omitempty"`
	// Followed is how far the stream has followed the archive; nil if it reads from the server.
	Followed *Followed `json:"followed,omitempty"`
	// Ahead is the end of a span whose records the server had stamped later than both clocks. They are delivered. It is zero if
	// there were no such records.
	Ahead time.Time `json:"ahead,omitzero"`
	// RescannedAt is the time of the last search of the last days for stragglers, or the stream's beginning if there was no
	// search.
	RescannedAt time.Time `json:"rescanned_at,omitzero"`
	// Covered is the time for which the entries up to this one account. Only a journal whose windows come in any order has it.
	// [Journal.Commit] fills it in.
	Covered []window.Window `json:"covered,omitempty"`

	Records     Counts       `json:"records"`
	Filter      string       `json:"filter,omitempty"`       // the records that the stream delivers; "" for all
	Totals      Totals       `json:"totals"`                 // Commit fills it in
	ServerCount *ServerCount `json:"server_count,omitempty"` // nil if no window was read
	Objects     []Object     `json:"objects"`
	Holes       []Hole       `json:"holes,omitempty"`
	HolesTotal  int64        `json:"holes_total,omitempty"` // in all entries so far; Commit fills it in
	HoledAt     time.Time    `json:"holed_at,omitzero"`     // CommittedAt of the newest entry with holes; Commit fills it in
	Changed     *Changes     `json:"changed,omitempty"`
	// ChangedTotal counts the altered and the gone records of all entries so far. Commit fills it in.
	ChangedTotal int64 `json:"changed_total,omitempty"`
	// Refused are the records of this entry that the destination refuses. They are in the dead letter, and not at the destination.
	// The Nth of each is its place among the new records of the entry.
	Refused []Letter `json:"refused,omitempty"`
	// DeadLetters are the open letters of all entries so far, without their SHA-256. Commit fills it in.
	DeadLetters []Letter `json:"dead_letters,omitempty"`

	// Waiting are the intents that wait for their outcomes after this entry, oldest first. They are not at the destination yet.
	Waiting []Intent `json:"waiting,omitempty"`

	// ForgottenBefore is zero, or the time before which a person removed records from the archive on purpose. No run delivers a
	// record of that time any more. Commit fills it in.
	ForgottenBefore time.Time `json:"forgotten_before,omitzero"`

	// Each of these six is in the entry of its own kind. It is nil in all other entries.
	Reset     *Reset      `json:"reset,omitempty"`
	Moved     *Move       `json:"moved,omitempty"`
	Adopted   *Adoption   `json:"adopted,omitempty"`
	Compacted *Compaction `json:"compacted,omitempty"`
	Forgotten *Forgetting `json:"forgotten,omitempty"`
	Settled   *Settlement `json:"settled,omitempty"`

	// Keys is the list of the public keys that vouch for the journal from this entry on. An entry of kind keys has it. So has a
	// signed entry that begins an origin: the first one of the journal, and an adoption. It is nil in all other entries.
	Keys *KeyList `json:"keys,omitempty"`
	// KeysAt is the newest earlier entry with Keys; 0 if there is none. Each signed entry has Keys or KeysAt. Commit fills it in.
	KeysAt uint64 `json:"keys_at,omitempty"`

	Oldest Sighting `json:"oldest,omitzero"` // the oldest record at the source, when Houndtrail last looked

	Writer      Writer    `json:"writer"`
	CommittedAt time.Time `json:"committed_at"`

	// Seal binds the entry to all entries before it. It has the tree over them and the signed head of the tree. Commit fills it
	// in. It is the last key, so that the signatures follow it.
	Seal *seal.Seal `json:"seal"`
}

// Holed tells that a hole is still news: HoledAt is not before DeliveredSince. If the source repairs the record within that time,
// Houndtrail delivers it after all. After that time no run reads it again.
func (c *Checkpoint) Holed() bool { return c.HolesTotal > 0 && !c.HoledAt.Before(c.DeliveredSince) }

// Progress is the newest entry that tells how far the stream is. Usually it is this one. A compaction, a removal, a list of keys
// and a settlement name an earlier one.
func (c *Checkpoint) Progress() Progress {
	switch {
	case c.Compacted != nil:
		return c.Compacted.Follows
	case c.Forgotten != nil:
		return c.Forgotten.Follows
	case c.Settled != nil:
		return c.Settled.Follows
	case c.Kind == KindKeys && c.Keys != nil:
		return c.Keys.Follows
	}
	return Progress{c.Serial, c.CommittedAt}
}

// Kind is the purpose of an entry.
type Kind string

// The kinds of entries. A later version may write others. This version reads those like any entry.
const (
	KindExport  Kind = "export"  // a window that was due
	KindRescan  Kind = "rescan"  // a window that was read again, to find stragglers
	KindHistory Kind = "history" // records that appeared before the start of the stream at that time
	KindAhead   Kind = "ahead"   // records that were stamped later than both clocks
	KindBarrier Kind = "barrier" // no window: it takes the serial of a commit that might still arrive
	KindReset   Kind = "reset"   // a person accepted another source, and a lineage begins
	KindMove    Kind = "move"    // a person moved the journal to another identity
	KindAdopt   Kind = "adopt"   // the position was rebuilt from the archive's own files, and a lineage begins
	KindCompact Kind = "compact" // no window: one object took the place of others, with the same records
	KindForget  Kind = "forget"  // no window: objects are removed on purpose
	KindKeys    Kind = "keys"    // no window: other keys vouch for the journal from now on
	KindLetters Kind = "letters" // no window: letters left the dead letter, sent or dropped
)

// Stored is a checkpoint in the journal. The zero value means that there is none yet.
type Stored struct {
	Checkpoint
	SHA256 string    // of the entry's bytes; the next entry repeats it as PreviousSHA256
	Leaf   seal.Hash // of the entry's bytes, in the tree
	Signed bool      // the entry has signatures; this field does not tell of whose keys
	// Head is the head, as a note, of the tree with this entry as its newest. Only Load and Commit fill it in.
	Head string
}

// Readable tells whether the entry could be read. If not, Houndtrail knows little more than that it exists.
func (s Stored) Readable() bool { return s.Kind != "" }

// Identity binds a journal to one stream of one tenant, source and destination, in one encoding. Each entry has all of it, and
// errors repeat it, so it must not contain credentials. A caller that only reads may leave a part out that it does not know. Then
// the journal does not compare that part.
type Identity struct {
	Tenant      string // the name of the source in keys and event ids
	Stream      string // the journal's folder in the bucket: "archive", "webhook"
	Source      string // https://tenant.example
	Destination string // s3://bucket/prefix
	Encoding    string // of the records that are written: "parquet", "ndjson"
	Writer      Writer // the process that commits and holds the lease; never compared
}

// Names is the part of an identity that [Journal.Move] can change.
type Names struct {
	Tenant      string `json:"tenant"`
	Source      string `json:"source"`
	Destination string `json:"destination"`
	Encoding    string `json:"encoding"`
}

func (i Identity) names() Names { return Names{i.Tenant, i.Source, i.Destination, i.Encoding} }

func (c *Checkpoint) names() Names { return Names{c.Tenant, c.Source, c.Destination, c.Encoding} }

// without lists the parts of n that differ from ours, theirs first. A part that is empty in ours may have any value in n.
func (n Names) without(ours Names) string {
	var differ []string
	for _, part := range []struct{ what, theirs, ours string }{
		{"tenant", n.Tenant, ours.Tenant},
		{"source", n.Source, ours.Source},
		{"destination", n.Destination, ours.Destination},
		{"encoding", n.Encoding, ours.Encoding},
	} {
		if part.ours != "" && part.theirs != part.ours {
			differ = append(differ, fmt.Sprintf("its %s is %q and this run's is %q", part.what, part.theirs, part.ours))
		}
	}
	return strings.Join(differ, ", ")
}

// belongs refuses a journal whose newest entry has another identity: its position means nothing to this run.
func (j *Journal) belongs(s Stored) error {
	differ := s.names().without(j.id.names())
	if differ == "" {
		return nil
	}
	return fmt.Errorf("%w: %s: %s: correct the setting; or, if the change is meant (the same archive at another address, "+
		"a new host name of BloodHound, another tenant), run houndtrail move --reason \"...\" once, which goes on from "+
		"this very position", ErrForeign, j.at(j.Key(s.Serial)), differ)
}

// ofStream refuses an entry of another stream. No move can make it one of this stream's.
func (j *Journal) ofStream(key string, s Stored) error {
	if s.Stream == j.id.Stream {
		return nil
	}
	return fmt.Errorf("%w: %s belongs to stream %q and lies in the folder of stream %q: put each stream's journal "+
		"back into the folder of its own name", ErrForeign, j.at(key), s.Stream, j.id.Stream)
}
