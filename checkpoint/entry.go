package checkpoint

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What to do about a journal that cannot be used. A new one beside the same archive would put records there twice,
// unless it starts where the old one ends.
const (
	anew = "start a new journal: point HOUNDTRAIL_CHECKPOINT_URL at an empty place, and to go on from here set " +
		"HOUNDTRAIL_START to the last WINDOW END that houndtrail history shows, or to export everything again choose an " +
		"empty destination too"
	restore = "restore it from an earlier version or a backup, or " + anew
)

// path is the key of one of the stream's objects, relative to the bucket's root.
func (j *Journal) path(name string) string { return j.id.Stream + "/" + name }

// key is the key of an entry. All of them have the same length, so that they sort by serial.
func (j *Journal) key(serial uint64) string { return j.path(fmt.Sprintf("%020d.json", serial)) }

// serial reads an entry's key; ok is false for every other object.
func (j *Journal) serial(key string) (serial uint64, ok bool) {
	name, isEntry := strings.CutSuffix(key, ".json")
	digits, isOurs := strings.CutPrefix(name, j.path(""))
	if !isEntry || !isOurs || len(digits) != 20 {
		return 0, false
	}
	serial, err := strconv.ParseUint(digits, 10, 64)
	return serial, err == nil
}

// at names an object for people.
func (j *Journal) at(key string) string {
	return strings.TrimSuffix(j.bucket.String(), "/") + "/" + key
}

// encode renders an entry, with every time in UTC and no null where a list belongs.
func encode(c Checkpoint) ([]byte, error) {
	for _, t := range []*time.Time{
		&c.Window.Start, &c.Window.End, &c.Cursor, &c.DeliveredSince, &c.RescannedAt, &c.Oldest.CreatedAt, &c.Oldest.SeenAt, &c.CommittedAt,
	} {
		*t = t.UTC()
	}
	if c.Newest != nil {
		c.Newest = &Record{c.Newest.ID, c.Newest.CreatedAt.UTC()}
	}
	c.Objects = append([]Object{}, c.Objects...)
	for i := range c.Objects {
		o := &c.Objects[i]
		o.MinCreatedAt, o.MaxCreatedAt = o.MinCreatedAt.UTC(), o.MaxCreatedAt.UTC()
	}
	c.Delivered = append([]byte{}, c.Delivered...)
	return marshal(c)
}

// marshal renders one line of JSON and leaves the & of a URL readable.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return b.Bytes(), err
}

// decode reads an entry. A key that it does not know is an error: to overlook one is to misread the position.
func decode(body []byte) (Stored, error) {
	var version struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(body, &version); err != nil {
		return Stored{}, fmt.Errorf("it is not readable as JSON: %w", err)
	}
	if version.Format != Format {
		return Stored{}, fmt.Errorf("it has format %d and this version of houndtrail reads only format %d "+
			"(run the version that wrote it, or a later one)", version.Format, Format)
	}
	s := Stored{SHA256: digest(body)}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&s.Checkpoint); err != nil {
		return Stored{}, fmt.Errorf("it is not readable as an entry: %w", err)
	}
	if s.Cursor.IsZero() {
		return Stored{}, errors.New("it has no cursor")
	}
	return s, nil
}

// digest is the SHA-256 in lower-case hex, as entries and objects give it.
func digest(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// belongs refuses an entry of another stream, source or destination: its position means nothing here.
func (j *Journal) belongs(key string, s Stored) error {
	theirs := []string{s.Stream, s.Source, s.Destination}
	ours := []string{j.id.Stream, j.id.Source, j.id.Destination}
	if slices.Equal(theirs, ours) {
		return nil
	}
	what := fmt.Sprintf("belongs to %s, this run reads %s", s.Source, j.id.Source)
	switch {
	case s.Stream != j.id.Stream:
		what = fmt.Sprintf("belongs to stream %q, this run is stream %q", s.Stream, j.id.Stream)
	case s.Source == j.id.Source:
		what = fmt.Sprintf("belongs to the destination %s, this run writes to %s", s.Destination, j.id.Destination)
	}
	return fmt.Errorf("%w: %s %s: correct this run's settings, or %s", ErrForeign, j.at(key), what, anew)
}

// follows verifies the link between two neighbours; before is the zero value for the first entry.
func (j *Journal) follows(before, s Stored) error {
	switch {
	case s.PreviousSHA256 != before.SHA256 && before.Serial == 0:
		return j.corrupt(j.key(s.Serial), errors.New("it is the first entry and yet names a previous one"))
	case s.PreviousSHA256 != before.SHA256:
		return j.corrupt(j.key(s.Serial), fmt.Errorf("it follows an entry with SHA-256 %s, but %s has %s: "+
			"one of the two was changed", s.PreviousSHA256, j.at(j.key(before.Serial)), before.SHA256))
	case s.Lineage != before.Lineage && before.Serial > 0 && s.Reset == nil:
		return j.corrupt(j.key(s.Serial), fmt.Errorf("its lineage is %s, that of the entry before is %s: "+
			"two journals were mixed", s.Lineage, before.Lineage))
	}
	return nil
}

// agrees compares an entry with the note that was taken of it, if it is of this one.
func (j *Journal) agrees(noted note, s Stored) error {
	if noted.Serial != s.Serial || noted.SHA256 == s.SHA256 {
		return nil
	}
	return j.corrupt(j.key(s.Serial), fmt.Errorf("its SHA-256 is %s, but %s noted %s when it was committed "+
		"(if the entry is right, remove the note)", s.SHA256, j.at(j.path("latest")), noted.SHA256))
}

// lost says that an entry is gone which once was the newest.
func (j *Journal) lost(noted note) error {
	return j.corrupt(j.key(noted.Serial), fmt.Errorf("it is missing, although %s says that it was committed "+
		"(if it was removed on purpose, remove the note as well)", j.at(j.path("latest"))))
}

// corrupt names the object, what is wrong with it and what to do.
func (j *Journal) corrupt(key string, problem error) error {
	return fmt.Errorf("%w: %s: %w: %s", ErrCorrupt, j.at(key), problem, restore)
}
