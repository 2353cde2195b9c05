package seal

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math/bits"
	"reflect"

	"github.com/houndtrail/houndtrail/checkpoint/strict"
)

// A Seal is the part of an entry about the tree before it. In the entry's JSON it is the last key before the signatures.
type Seal struct {
	Origin   string `json:"origin"`
	Size     uint64 `json:"size"` // of the tree before the entry: its serial, less one
	Frontier []Hash `json:"frontier"`
	Head     string `json:"head,omitempty"` // the head of that tree as a note; none in the first entry
}

// NewSeal is the seal of the next entry. before is the tree of all entries so far, and head is the note over them.
func NewSeal(origin string, before *Frontier, head string) (Seal, error) {
	s := Seal{Origin: origin, Size: before.Size(), Frontier: before.Hashes(), Head: head}
	_, err := s.Before()
	return s, err
}

// Before is the tree before the entry. It compares the parts of the seal: the frontier, and the origin, size and root of the head.
// It opens no signature.
func (s *Seal) Before() (*Frontier, error) {
	f, err := NewFrontier(s.Size, s.Frontier)
	if err != nil {
		return nil, fmt.Errorf("the seal: %w", err)
	}
	if err := CheckOrigin(s.Origin); err != nil {
		return nil, fmt.Errorf("the seal: %w", err)
	}
	if s.Size == 0 {
		if s.Head != "" {
			return nil, errors.New("the seal of the first entry has a head")
		}
		return f, nil
	}
	switch head, err := ReadHead(s.Head); {
	case err != nil:
		return nil, fmt.Errorf("the seal's head: %w", err)
	case head.Origin != s.Origin:
		return nil, fmt.Errorf("the seal's head is of %s, and the seal of %s", head.Origin, s.Origin)
	case head.Size != s.Size:
		return nil, fmt.Errorf("the seal's head has size %d, and the seal %d", head.Size, s.Size)
	case head.Root != f.Root():
		return nil, fmt.Errorf("the seal's head has the root %s, and its frontier gives %s", head.Root.Base64(), f.Root().Base64())
	}
	return f, nil
}

// An entry is one line of compact JSON. marker begins its last key, and end ends the line.
const (
	marker = `,"signatures":`
	end    = "}\n"
)

// statement is the text that the signatures of an entry sign. It cannot be read as a head: the second line of a head is a number.
func statement(origin string, serial uint64, covered []byte) string {
	return fmt.Sprintf("houndtrail-entry/v1\n%s\n%d\n%x\n", origin, serial, sha256.Sum256(covered))
}

// SignEntry adds the signatures to an entry that has none. Without a signer, it returns the same line.
func SignEntry(line []byte, origin string, serial uint64, signers ...Signer) ([]byte, error) {
	if err := CheckOrigin(origin); err != nil {
		return nil, fmt.Errorf("entry %d: %w", serial, err)
	}
	covered, lines, err := split(line)
	if err != nil {
		return nil, fmt.Errorf("entry %d: %w", serial, err)
	}
	if len(lines) > 0 {
		return nil, fmt.Errorf("entry %d is signed already", serial)
	}
	if len(signers) == 0 {
		return line, nil
	}
	if lines, err = sign(origin, statement(origin, serial, covered), signers); err != nil {
		return nil, fmt.Errorf("entry %d: %w", serial, err)
	}
	list, err := json.Marshal(lines)
	if err != nil {
		return nil, err
	}
	return bytes.Join([][]byte{covered, []byte(marker), list, []byte(end)}, nil), nil
}

// split returns the bytes that the signatures cover, and the signatures; none if the entry is unsigned. It accepts the signatures
// only in the form that SignEntry writes, as the last key of the entry.
func split(line []byte) (covered []byte, lines []string, err error) {
	body, ok := bytes.CutSuffix(line, []byte(end))
	if !ok || bytes.IndexByte(body, '\n') >= 0 || len(body) == 0 || body[0] != '{' {
		return nil, nil, errors.New("it is not one line of JSON")
	}
	at := bytes.LastIndex(body, []byte(marker))
	if at < 0 {
		return body, nil, nil
	}
	covered, list := body[:at], body[at+len(marker):]
	if len(list) > largest {
		return nil, nil, fmt.Errorf("its signatures have %d bytes, and %d are the most", len(list), largest)
	}
	if err := json.Unmarshal(list, &lines); err != nil {
		return nil, nil, errors.New("its signatures are not the last key of the entry")
	}
	again, err := json.Marshal(lines)
	if err != nil || !bytes.Equal(again, list) || len(lines) == 0 {
		return nil, nil, errors.New("its signatures are not spelt as Houndtrail spells them")
	}
	return covered, lines, checkLines(lines)
}

// An Entry has the parts of a journal's entry that the seal needs.
type Entry struct {
	Serial uint64
	Seal   Seal
	Leaf   Hash
	signed
	before *Frontier
}

// ReadEntry reads an entry's line. It refuses the line if two parsers could read it differently, or if its seal contradicts
// itself. It opens no signature.
func ReadEntry(line []byte) (*Entry, error) {
	var e struct {
		Serial     uint64   `json:"serial"`
		Seal       *Seal    `json:"seal"`
		Signatures []string `json:"signatures"`
	}
	if err := readStrictly(line, &e); err != nil {
		return nil, err
	}
	if e.Seal == nil {
		return nil, errors.New("it has no seal")
	}
	entry, err := NewEntry(line, e.Serial, *e.Seal)
	if err == nil && len(entry.lines) != len(e.Signatures) {
		err = errors.New("its signatures are not the last key of the entry")
	}
	return entry, err
}

// NewEntry is ReadEntry for a caller that has already read the line, with [strict.Keys].
func NewEntry(line []byte, serial uint64, s Seal) (*Entry, error) {
	covered, lines, err := split(line)
	if err != nil {
		return nil, err
	}
	if s.Size+1 != serial {
		return nil, fmt.Errorf("it is entry %d, and its seal is about the tree of %d entries", serial, s.Size)
	}
	before, err := s.Before()
	if err != nil {
		return nil, err
	}
	text := signed{origin: s.Origin, text: statement(s.Origin, serial, covered), lines: lines}
	return &Entry{Serial: serial, Seal: s, Leaf: Leaf(line), signed: text, before: before}, nil
}

// After is the tree with this entry as its last leaf.
func (e *Entry) After() *Frontier {
	f := e.before.Clone()
	f.Append(e.Leaf)
	return f
}

// Node is the root of the subtree of 2^level leaves whose last leaf is this entry. Each node of a tree comes from one entry.
func (e *Entry) Node(level int) (Hash, error) {
	if level < 0 || level > bits.TrailingZeros64(e.Serial) {
		return Hash{}, fmt.Errorf("entry %d completes no subtree of level %d", e.Serial, level)
	}
	return e.before.complete(level, e.Leaf), nil
}

// readStrictly reads JSON into a value, unless two parsers could read it as two different values.
func readStrictly(body []byte, v any) error {
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("it is not readable as JSON: %w", err)
	}
	return strict.Keys(body, reflect.TypeOf(v))
}
