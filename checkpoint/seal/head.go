package seal

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A Head says that a journal had exactly these entries: their number, and the root of the tree over them. The cursor and the
// records are for people. No program may rely on them, since some signatures do not cover them. The entry has the same numbers.
type Head struct {
	Origin  string
	Size    uint64 // the serial of the newest entry
	Root    Hash
	Cursor  time.Time
	Records uint64 // delivered by all entries so far
}

// instant is the form of the cursor: every head of the same entries has the same bytes.
const instant = "2006-01-02T15:04:05.000000Z"

// Text is the signed part of the head. It has five lines, without a clock or a host.
func (h *Head) Text() string {
	return fmt.Sprintf("%s\n%d\n%s\ncursor %s\nrecords %d\n",
		h.Origin, h.Size, h.Root.Base64(), h.Cursor.UTC().Format(instant), h.Records)
}

// Sign returns the head as a note with a signature of each key, the oldest key first. Without a key, the note is the bare text.
// Sign a head only if its newest entry is known to be in the store.
func (h *Head) Sign(signers ...Signer) (string, error) {
	text := h.Text()
	if _, err := parseHead(text); err != nil {
		return "", fmt.Errorf("a head that cannot be read again is not signed: %w", err)
	}
	if len(signers) == 0 {
		return text, nil
	}
	lines, err := sign(h.Origin, text, signers)
	if err != nil {
		return "", err
	}
	return text + "\n" + strings.Join(lines, "\n") + "\n", nil
}

// A SignedHead is a head that was read. It proves nothing until SignedBy has opened its signatures.
type SignedHead struct {
	Head
	signed
}

// ReadHead reads a note, signed or bare. It accepts the bytes that Sign writes, also with further signatures.
func ReadHead(text string) (*SignedHead, error) {
	if len(text) > largest {
		return nil, fmt.Errorf("the head has %d bytes, and %d are the most", len(text), largest)
	}
	body, rest, found := strings.Cut(text, "\n\n")
	if found {
		body += "\n"
	}
	head, err := parseHead(body)
	if err != nil {
		return nil, err
	}
	h := &SignedHead{head, signed{origin: head.Origin, text: body}}
	if !found {
		return h, nil
	}
	lines, ok := strings.CutSuffix(rest, "\n")
	if !ok {
		return nil, errors.New("the head is cut off in its signatures")
	}
	h.lines = strings.Split(lines, "\n")
	if err := checkLines(h.lines); err != nil {
		return nil, fmt.Errorf("the head: %w", err)
	}
	return h, nil
}

// OpenHead reads the head of the journal of that origin, and returns it with the keys that signed it. If none of the given keys
// signed it, the error is one of those of SignedBy.
func OpenHead(text, origin string, keys ...PublicKey) (*SignedHead, []PublicKey, error) {
	h, err := ReadHead(text)
	if err != nil {
		return nil, nil, err
	}
	if h.Origin != origin {
		return nil, nil, fmt.Errorf("the head is of %s, and the journal is %s", h.Origin, origin)
	}
	by, err := h.SignedBy(keys...)
	if err != nil {
		return nil, nil, fmt.Errorf("the head of size %d: %w", h.Size, err)
	}
	return h, by, nil
}

// Note is the text that ReadHead read.
func (h *SignedHead) Note() string {
	if !h.Signed() {
		return h.text
	}
	return h.text + "\n" + strings.Join(h.lines, "\n") + "\n"
}

// parseHead reads the text of a head. It refuses a text that Text would not write.
func parseHead(text string) (Head, error) {
	const lines = 5
	parts := strings.Split(text, "\n")
	if len(parts) != lines+1 || parts[lines] != "" {
		return Head{}, fmt.Errorf("it is no head: want %d lines, each with its newline", lines)
	}
	h := Head{Origin: parts[0]}
	if err := CheckOrigin(h.Origin); err != nil {
		return Head{}, fmt.Errorf("it is no head: %w", err)
	}
	var err error
	if h.Size, err = strconv.ParseUint(parts[1], 10, 64); err != nil || h.Size == 0 || h.Size > maxSize {
		return Head{}, fmt.Errorf("it is no head: its size is %.40q", parts[1])
	}
	if err := h.Root.UnmarshalText([]byte(parts[2])); err != nil {
		return Head{}, fmt.Errorf("it is no head: its root %.80q: %w", parts[2], err)
	}
	cursor, hasCursor := strings.CutPrefix(parts[3], "cursor ")
	if h.Cursor, err = time.Parse(instant, cursor); err != nil || !hasCursor {
		return Head{}, fmt.Errorf("it is no head: line 4 is %.80q and not its cursor", parts[3])
	}
	records, hasRecords := strings.CutPrefix(parts[4], "records ")
	if h.Records, err = strconv.ParseUint(records, 10, 64); err != nil || !hasRecords {
		return Head{}, fmt.Errorf("it is no head: line 5 is %.80q and not its records", parts[4])
	}
	if h.Text() != text {
		return Head{}, errors.New("it is no head: it is not spelt as Houndtrail spells a head")
	}
	return h, nil
}
