package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint/seal"
)

// restore is the advice about a journal that cannot be used. It never advises to begin a new journal for the same archive, or to
// restore an older state of the whole journal. Both would put records into the archive twice.
const restore = "restore this very object from the store's earlier versions or a backup, or run houndtrail adopt, which " +
	"rebuilds the position from the archive's own files"

// ErrMissing says that the store does not have an entry, but has a later one. The error is [ErrCorrupt] too.
var ErrMissing = errors.New("it is missing, although a later entry was committed")

// MisplacedError says that an entry lies at the place of another one. The error is [ErrCorrupt] too.
type MisplacedError struct {
	Says uint64 // the serial that the entry itself has
}

func (e *MisplacedError) Error() string { return fmt.Sprintf("it says that it is entry %d", e.Says) }

// path is the key of one of the stream's objects, relative to the bucket's root.
func (j *Journal) path(name string) string { return j.id.Stream + "/" + name }

// segment is the number of entries in a folder. A file system lists only whole folders, and a journal has hundreds of thousands of
// entries.
const segment = 1000

// folder is the folder of a segment's entries. Segment 0 begins with serial 0.
func (j *Journal) folder(number uint64) string { return j.path(fmt.Sprintf("%017d/", number)) }

// Key is the key of an entry. All these keys have the same length, so that they sort by serial.
func (j *Journal) Key(serial uint64) string {
	return j.folder(serial/segment) + fmt.Sprintf("%020d.json", serial)
}

// serial reads an entry's key. If the object is no entry, ok is false.
func (j *Journal) serial(key string) (serial uint64, ok bool) {
	digits, isEntry := strings.CutSuffix(key[strings.LastIndex(key, "/")+1:], ".json")
	serial, err := strconv.ParseUint(digits, 10, 64)
	return serial, err == nil && isEntry && serial > 0 && key == j.Key(serial)
}

// at names an object for people.
func (j *Journal) at(key string) string {
	return strings.TrimSuffix(j.bucket.String(), "/") + "/" + key
}

// entry reads one entry and verifies everything that it says about itself, except its identity: Houndtrail compares only the
// newest entry's identity with its own. It opens no signature. Also with an error, the result has its serial and, if the store had
// any bytes, their SHA-256.
func (j *Journal) entry(ctx context.Context, serial uint64) (Stored, error) {
	s, _, err := j.sealedEntry(ctx, serial)
	return s, err
}

// sealedEntry is entry, and returns the parts that open the signatures as well.
func (j *Journal) sealedEntry(ctx context.Context, serial uint64) (Stored, *seal.Entry, error) {
	key := j.Key(serial)
	body, _, _, err := j.bucket.Get(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		return Stored{Checkpoint: Checkpoint{Serial: serial}}, nil, j.corrupt(key, ErrMissing)
	}
	if err != nil {
		return Stored{Checkpoint: Checkpoint{Serial: serial}}, nil, fmt.Errorf("read the checkpoint: %w", err)
	}
	return j.parse(serial, body)
}

// Parse reads the bytes of an entry from any place, and verifies everything that the entry says about itself, except its identity.
// It opens no signature. Also with an error, the result has the serial and the SHA-256.
func (j *Journal) Parse(serial uint64, body []byte) (Stored, error) {
	s, _, err := j.parse(serial, body)
	return s, err
}

func (j *Journal) parse(serial uint64, body []byte) (Stored, *seal.Entry, error) {
	key := j.Key(serial)
	s, sealed, err := decode(body)
	said := s.Serial
	s.Serial = serial
	switch {
	case errors.Is(err, ErrNewer):
		return s, nil, j.newer(key, s, err)
	case err != nil:
		return s, nil, j.corrupt(key, err)
	case said != serial:
		return s, nil, j.corrupt(key, &MisplacedError{said})
	}
	return s, sealed, j.ofStream(key, s)
}

// verify compares an entry with the previous one and with the note.
func (j *Journal) verify(before, s Stored, noted note) error {
	if err := j.follows(before, s); err != nil {
		return err
	}
	return j.agrees(noted, s)
}

// follows verifies the link between two neighbours. If before is the zero value, there is no previous entry. Then the journal
// begins with s, or was pruned up to s. In a pruned journal, Houndtrail cannot verify this link.
func (j *Journal) follows(before, s Stored) error {
	key := j.Key(s.Serial)
	problem := s.unkept()
	switch {
	case problem != nil:
		return j.corrupt(key, problem)
	case before.Serial == 0 && s.Serial > 1:
		return nil
	case before.Serial == 0 && s.PreviousSHA256 != "":
		return j.corrupt(key, errors.New("it is the first entry and yet names a previous one"))
	case s.PreviousSHA256 != before.SHA256:
		return j.corrupt(key, fmt.Errorf("it follows an entry with SHA-256 %s, but %s has %s: "+
			"one of the two was changed", s.PreviousSHA256, j.at(j.Key(before.Serial)), before.SHA256))
	}
	if problem := s.Continues(before); problem != nil {
		return j.corrupt(key, problem)
	}
	return nil
}

// unkept finds an entry that says that the journal has keys, but is not signed itself.
func (s Stored) unkept() error {
	if s.Signed || s.NewestKeys() == 0 {
		return nil
	}
	return fmt.Errorf("it is not signed, and entry %d says which keys sign the journal from then on: another writer wrote it, or its "+
		"signatures were removed", s.NewestKeys())
}

// Continues tells whether an entry can come after another one. It compares the two entries, but not the SHA-256. The seal of the
// entry must be about the tree that ends with the previous entry. Both must have one lineage and one identity, unless the entry is
// a reset, a move or an adoption. Nil means that it can come there, or that there is no readable previous entry.
func (s Stored) Continues(before Stored) error {
	if before.Serial == 0 || before.Kind == "" {
		return nil // there is no readable previous entry to compare with
	}
	switch err := s.continues(before); {
	case err != nil:
		return err
	case s.Kind == KindAdopt:
		return nil // after an adoption, the previous entry does not count any more
	case s.KeysAt != before.NewestKeys():
		return fmt.Errorf("it says that entry %d has the newest list of keys, and that is entry %d: two journals were mixed",
			s.KeysAt, before.NewestKeys())
	case s.Lineage != before.Lineage && s.Kind != KindReset:
		return fmt.Errorf("its lineage is %s, that of the previous entry is %s: two journals were mixed", s.Lineage, before.Lineage)
	case s.names() != before.names() && (s.Moved == nil || s.Moved.From != before.names()):
		return fmt.Errorf("it is of another identity than the previous entry, from which no move leads to it "+
			"(tenant, source, destination and encoding are %q, and were %q): two journals were mixed", s.names(), before.names())
	case s.base() != before.base() && s.base().Serial != s.Serial:
		return fmt.Errorf("its delivered ids build on those of entry %d, and those of the previous entry on entry %d: "+
			"two journals were mixed", s.base().Serial, before.base().Serial)
	}
	return nil
}

// agrees compares an entry with the note, if the note is of this entry or of the previous one. If a head makes no sense, agrees
// ignores it.
func (j *Journal) agrees(noted note, s Stored) error {
	said, err := seal.ReadHead(noted.Head)
	switch {
	case noted.Serial == s.Serial && noted.SHA256 != s.SHA256 && noted.SHA256 != "":
		return j.corrupt(j.Key(s.Serial), fmt.Errorf("its SHA-256 is %s, but %s noted %s when it was committed: one of the two "+
			"was changed", s.SHA256, j.at(j.path(latestName)), noted.SHA256))
	case err != nil:
		return nil //nolint:nilerr // as the comment says
	}
	var want seal.Head
	switch {
	case noted.Serial == s.Serial:
		want, err = s.ownHead()
	case noted.Serial+1 == s.Serial && !s.founds():
		var sealed *seal.SignedHead
		if sealed, err = seal.ReadHead(s.Seal.Head); err == nil {
			want = sealed.Head
		}
	default:
		return nil
	}
	if err == nil && want.Text() != said.Text() {
		err = fmt.Errorf("its head is %q, but %s has %q: one of the two was changed, or they are of two histories",
			want.Text(), j.at(j.path(latestName)), said.Text())
	}
	if err != nil {
		return j.corrupt(j.Key(noted.Serial), err)
	}
	return nil
}

// lost says that an entry is gone that was the newest at an earlier time.
func (j *Journal) lost(noted note) error {
	return j.corrupt(j.Key(noted.Serial), fmt.Errorf("it is missing, although %s says that it was committed: the journal, "+
		"or the end of it, is lost", j.at(noted.by)))
}

// corrupt names the object, its problem, and the next step.
func (j *Journal) corrupt(key string, problem error) error {
	return fmt.Errorf("%w: %s: %w: %s", ErrCorrupt, j.at(key), problem, restore)
}

// newer names the writer of an entry that this version cannot read. Such an entry is not damaged.
func (j *Journal) newer(key string, s Stored, problem error) error {
	return fmt.Errorf("%s, written by %s: %w: run a newer version of houndtrail, that one or a later one",
		j.at(key), s.by(), problem)
}

// by names the writer of an entry, and the time of the commit.
func (s Stored) by() string {
	return fmt.Sprintf("houndtrail %s on %s at %s", s.Writer.Version, s.Writer.Host, s.CommittedAt.UTC().Format(time.RFC3339))
}

// A Letter is a record that the destination refuses, and that is kept in the dead letter instead.
type Letter struct {
	ID        int64     `json:"id"`
	CreatedAt time.Time `json:"created_at"`
	// Nth is a place among the new records: those of the entry that names the letter in Refused, or else those of the journal. The
	// first one has 1. Two letters tell by it how many records were between them.
	Nth    int64  `json:"nth"`
	SHA256 string `json:"sha256,omitempty"` // of the letter's object; only in Refused
}

func (l Letter) utc() Letter { l.CreatedAt = l.CreatedAt.UTC(); return l }

// Same tells whether two letters are of the same record.
func (l Letter) Same(other Letter) bool {
	return l.ID == other.ID && l.CreatedAt.Equal(other.CreatedAt)
}

// Passed is the number of records that the entries so far have passed: delivered, in the dead letter, or dropped from it.
func (c *Checkpoint) Passed() int64 {
	return c.Totals.Delivered + int64(len(c.DeadLetters)) + c.Totals.Dropped
}

// A Settlement says that letters left the dead letter. The objects of the entry are those with which the destination got the
// letters of Sent. The letters of Dropped never arrive there, by a person's decision.
type Settlement struct {
	Sent    []Letter `json:"sent,omitempty"`
	Dropped []Letter `json:"dropped,omitempty"`
	Reason  string   `json:"reason,omitempty"` // for the dropped letters, as the person gave it
	By      string   `json:"by,omitempty"`
	Follows Progress `json:"follows"` // SettleLetters fills it in
}

func (s Settlement) utc() Settlement {
	s.Sent, s.Dropped = each(s.Sent, Letter.utc), each(s.Dropped, Letter.utc)
	s.Follows.CommittedAt = s.Follows.CommittedAt.UTC()
	return s
}

// check refuses a settlement that says of a letter that it was sent, but names no object with it, and one without a reason.
func (s Settlement) check(objects []Object) error {
	sent := 0
	for _, o := range objects {
		sent += o.Records
	}
	switch {
	case len(s.Sent)+len(s.Dropped) == 0:
		return errors.New("it settles no letter")
	case sent != len(s.Sent):
		return fmt.Errorf("it says that %d letters were sent, and its objects have %d records", len(s.Sent), sent)
	case len(s.Dropped) > 0 && strings.TrimSpace(s.Reason) == "":
		return errors.New("it drops letters and gives no reason")
	}
	return nil
}

// settle fills in the open letters of an entry that follows prev, and what becomes of the others in the totals.
func (c *Checkpoint) settle(prev Checkpoint) {
	c.DeadLetters = slices.Clone(prev.DeadLetters)
	for _, l := range c.Refused {
		l.Nth, l.SHA256 = prev.Passed()+l.Nth, ""
		c.DeadLetters = append(c.DeadLetters, l)
	}
	if c.Settled == nil {
		return
	}
	take := func(letters []Letter) int64 {
		before := len(c.DeadLetters)
		c.DeadLetters = slices.DeleteFunc(c.DeadLetters, func(l Letter) bool { return slices.ContainsFunc(letters, l.Same) })
		return int64(before - len(c.DeadLetters))
	}
	c.Totals.Delivered += take(c.Settled.Sent)
	c.Totals.Dropped += take(c.Settled.Dropped)
}
