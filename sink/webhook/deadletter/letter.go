// Package deadletter keeps the records that a receiver refuses, each alone: the dead letter of a stream.
//
// A letter is one object beside the journal, <stream>/deadletter/<id>-<microseconds of created_at>.json. The sink creates it before
// the journal's entry that passes the record, and no code ever changes or removes it. If Houndtrail crashes between the two, the
// next run repeats the window. Then it finds the letter under the same name, and writes no second one. An object that no entry
// names is such a trace: it is no letter.
//
// The journal decides which letters are open: an entry that refuses records adds them, and an entry of kind letters takes them out.
// So a letter leaves the dead letter without a deletion, which the policy of a journal's bucket forbids.
package deadletter

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
)

// Folder is the part of a letter's key behind the name of the stream.
const Folder = "deadletter/"

// A Letter is a record that a receiver refuses, with the receiver's answer. The object of a letter begins with this on one line of
// JSON. The bytes of the item follow, exactly as the receiver got them.
type Letter struct {
	EventID   string    `json:"event_id"`
	ID        int64     `json:"id"`
	CreatedAt time.Time `json:"created_at"`
	RefusedAt time.Time `json:"refused_at"`       // by this machine's clock
	Status    int       `json:"status"`           // of HTTP
	Answer    string    `json:"answer"`           // status and words of the answer, printable, short and without secrets
	Format    string    `json:"format"`           // the item is in this form of [format.Names]
	Schema    string    `json:"schema,omitempty"` // of [schema.Names]; "" for native
	Pass      uint64    `json:"pass,omitempty"`
	Receiver  string    `json:"receiver"` // without its secrets
	Batch     string    `json:"batch"`    // id of the batch that the receiver refused
	Version   string    `json:"version"`  // of the program
	Bytes     int       `json:"bytes"`    // of the item
	SHA256    string    `json:"sha256"`   // of the item, in lower-case hex

	Item []byte `json:"-"`
}

// Form is the form of the item, for people.
func (l *Letter) Form() string {
	if l.Schema == "" {
		return l.Format
	}
	return l.Format + " with the schema " + l.Schema
}

// Ref is the letter as the journal names it.
func (l *Letter) Ref() checkpoint.Letter { return checkpoint.Letter{ID: l.ID, CreatedAt: l.CreatedAt} }

// Key is the key of a letter's object.
func Key(stream string, l checkpoint.Letter) string {
	return fmt.Sprintf("%s/%s%d-%d.json", stream, Folder, l.ID, l.CreatedAt.UnixMicro())
}

// encode makes the object of a letter. The result has the memory of the item and a little more.
func (l *Letter) encode() ([]byte, error) {
	c := *l
	c.CreatedAt, c.RefusedAt = l.CreatedAt.UTC(), l.RefusedAt.UTC()
	c.Bytes, c.SHA256 = len(l.Item), digest(l.Item)
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(c); err != nil {
		return nil, err
	}
	b.Write(l.Item)
	return b.Bytes(), nil
}

// decode reads the object of a letter, and compares the item with its SHA-256.
func decode(body []byte) (l Letter, err error) {
	head, item, found := bytes.Cut(body, []byte("\n"))
	if err := json.Unmarshal(head, &l); err != nil || !found {
		return l, errors.Join(errors.New("it is no letter"), err)
	}
	if digest(item) != l.SHA256 {
		return l, fmt.Errorf("its item has the SHA-256 %s, and it says %s: it was changed", digest(item), l.SHA256)
	}
	l.Item = item
	return l, nil
}

func digest(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}
