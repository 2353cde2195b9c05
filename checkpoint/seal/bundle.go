package seal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// bundleFormat is the format of a bundle that this package writes. It reads no other format.
const bundleFormat = 1

// A Bundle proves one record to a third party. It has the record's row, its path to the object's records_root, the entry that
// delivered the object, and the entry's path to a signed head. It shows no other record. The third party needs only the public
// key, and has to get that from another place.
type Bundle struct {
	Format    int       `json:"houndtrail_proof"`
	Origin    string    `json:"origin"`
	Serial    uint64    `json:"serial"`
	Record    RowProof  `json:"record"`
	Object    Object    `json:"object"`
	Entry     []byte    `json:"entry"` // exactly as it is in the store
	Inclusion Inclusion `json:"inclusion"`
	Head      string    `json:"head"`
	Keys      []string  `json:"keys"` // PEM, so that a reader can compare them. No check ever trusts them
}

// A RowProof is a record, and its place in the tree of its object's rows.
type RowProof struct {
	ID  int64  `json:"id"`
	Row []byte `json:"row"`
	Inclusion
}

// An Object names an object of the archive.
type Object struct {
	Key    string `json:"key"`
	SHA256 string `json:"sha256"`
}

// A Proved has the facts that a bundle proves.
type Proved struct {
	Head   *SignedHead
	By     []PublicKey // the given keys that signed the head
	Entry  *Entry
	Object Object // the object in which the entry delivered the record
	Row    Row
}

// NewBundle makes a proof from its parts: the record's row and its place in that object, the entry's line and its place in the
// tree, and the note of that tree's head. It refuses parts that do not fit together. It takes the record's id from the row.
func NewBundle(object string, record RowProof, line []byte, place Inclusion, head string, keys ...PublicKey) (*Bundle, error) {
	entry, err := readDelivery(line)
	if err != nil {
		return nil, err
	}
	row, err := ParseRow(record.Row)
	if err != nil {
		return nil, err
	}
	record.ID = row.ID
	b := &Bundle{
		Format: bundleFormat, Origin: entry.Seal.Origin, Serial: entry.Serial, Record: record,
		Object: Object{Key: object}, Entry: line, Inclusion: place, Head: head, Keys: []string{},
	}
	for _, o := range entry.objects {
		if o.Key == object {
			b.Object.SHA256 = o.SHA256
		}
	}
	for _, key := range keys {
		b.Keys = append(b.Keys, string(key.PEM("")))
	}
	_, err = b.proved()
	return b, err
}

// Encode is the bundle as JSON.
func (b *Bundle) Encode() ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	err := e.Encode(b)
	return out.Bytes(), err
}

// ReadBundle reads the output of Encode. It checks only the form.
func ReadBundle(body []byte) (*Bundle, error) {
	var b Bundle
	if err := readStrictly(body, &b); err != nil {
		return nil, fmt.Errorf("it is no proof: %w", err)
	}
	return &b, b.readable()
}

// readable tells whether this version may read the bundle.
func (b *Bundle) readable() error {
	if b.Format != bundleFormat {
		return fmt.Errorf("it is no proof that this version of houndtrail reads: its houndtrail_proof is %d, and not %d",
			b.Format, bundleFormat)
	}
	return nil
}

// Check tells whether the bundle proves its record under one of these keys. It needs no journal and no archive. The reader has to
// check whether the origin is the journal that the reader means.
func (b *Bundle) Check(keys ...PublicKey) (*Proved, error) {
	p, err := b.proved()
	if err != nil {
		return nil, err
	}
	if p.By, err = p.Head.SignedBy(keys...); err != nil {
		return nil, fmt.Errorf("the head: %w", err)
	}
	return p, nil
}

// proved checks everything but the signature of the head.
func (b *Bundle) proved() (*Proved, error) {
	if err := b.readable(); err != nil {
		return nil, err
	}
	head, err := ReadHead(b.Head)
	if err != nil {
		return nil, err
	}
	entry, err := readDelivery(b.Entry)
	if err != nil {
		return nil, err
	}
	switch {
	case head.Origin != b.Origin || entry.Seal.Origin != b.Origin:
		return nil, fmt.Errorf("%w: it is of %s, its head of %s, and its entry of %s",
			ErrProof, b.Origin, head.Origin, entry.Seal.Origin)
	case head.Size != b.Inclusion.Size:
		return nil, fmt.Errorf("%w: the head has size %d, and the path of the entry size %d", ErrProof, head.Size, b.Inclusion.Size)
	case entry.Serial != b.Serial || b.Inclusion.Index+1 != b.Serial:
		return nil, fmt.Errorf("%w: it is of entry %d, has entry %d, and the path of leaf %d",
			ErrProof, b.Serial, entry.Serial, b.Inclusion.Index)
	}
	if err := b.Inclusion.Check(entry.Leaf, head.Root); err != nil {
		return nil, fmt.Errorf("the entry: %w", err)
	}
	row, err := b.delivered(entry)
	if err != nil {
		return nil, err
	}
	return &Proved{Head: head, Entry: entry.Entry, Object: b.Object, Row: row}, nil
}

// delivered checks that the entry delivered the record in the object.
func (b *Bundle) delivered(entry *delivery) (Row, error) {
	var named []object
	for _, o := range entry.objects {
		if o.Key == b.Object.Key {
			named = append(named, o)
		}
	}
	switch {
	case len(named) != 1:
		return Row{}, fmt.Errorf("%w: entry %d names the object %s %d times", ErrProof, entry.Serial, b.Object.Key, len(named))
	case named[0].SHA256 != b.Object.SHA256 || b.Object.SHA256 == "":
		return Row{}, fmt.Errorf("%w: the entry gives the object another SHA-256, %s", ErrProof, named[0].SHA256)
	case named[0].Root == nil:
		return Row{}, fmt.Errorf("%w: the entry has no records_root for the object", ErrProof)
	case named[0].Records != b.Record.Size:
		return Row{}, fmt.Errorf("%w: the object has %d records, and the path of the record is of %d",
			ErrProof, named[0].Records, b.Record.Size)
	}
	if err := b.Record.Check(Leaf(b.Record.Row), *named[0].Root); err != nil {
		return Row{}, fmt.Errorf("the record: %w", err)
	}
	row, err := ParseRow(b.Record.Row)
	if err == nil && row.ID != b.Record.ID {
		err = fmt.Errorf("%w: it is of record %d, and the row of record %d", ErrProof, b.Record.ID, row.ID)
	}
	return row, err
}

// A delivery is an entry with the objects that it delivered.
type delivery struct {
	*Entry
	objects []object
}

// An object has the part of an entry's object that a proof needs.
type object struct {
	Key     string `json:"key"`
	SHA256  string `json:"sha256"`
	Records uint64 `json:"records"`
	Root    *Hash  `json:"records_root"`
}

func readDelivery(line []byte) (*delivery, error) {
	entry, err := ReadEntry(line)
	if err != nil {
		return nil, fmt.Errorf("the entry: %w", err)
	}
	var e struct {
		Objects []object `json:"objects"`
	}
	if err := readStrictly(line, &e); err != nil {
		return nil, fmt.Errorf("the entry: %w", err)
	}
	if len(e.Objects) == 0 {
		return nil, errors.New("the entry names no object")
	}
	return &delivery{entry, e.Objects}, nil
}
