package checkpoint

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint/seal"
	"github.com/houndtrail/houndtrail/checkpoint/strict"
	"github.com/houndtrail/houndtrail/exporter/window"
)

const (
	// Format is the journal format that this package writes. It reads no other format.
	Format = 1
	// Reader is the highest min_reader that this version understands. If an entry asks for a higher one, the error is [ErrNewer].
	Reader = 1
)

// header is the part of an entry that a reader of any version understands. It tells whether that reader may read the entry.
type header struct {
	Format    int `json:"format"`
	MinReader int `json:"min_reader"`
	// Critical names the fields that a reader must know. It may ignore all other fields that it does not know.
	Critical []string `json:"critical"`
	// Signatures are the last key of a signed entry.
	Signatures []string `json:"signatures"`
}

// encode renders an entry. It writes every time in UTC, and an empty list instead of null. It does not change the caller's value.
func encode(c Checkpoint) ([]byte, error) {
	for _, t := range []*time.Time{
		&c.Start, &c.Cursor, &c.DeliveredSince, &c.Ahead, &c.RescannedAt, &c.Oldest.CreatedAt, &c.Oldest.SeenAt, &c.HoledAt,
		&c.ForgottenBefore, &c.CommittedAt,
	} {
		*t = t.UTC()
	}
	c.Window = c.Window.UTC()
	c.Covered = each(c.Covered, window.Window.UTC)
	c.Newest = pointed(c.Newest, Record.utc)
	c.Holes = each(c.Holes, func(h Hole) Hole { h.CreatedAt = h.CreatedAt.UTC(); return h })
	c.Changed = pointed(c.Changed, func(ch Changes) Changes { ch.Examples = each(ch.Examples, Record.utc); return ch })
	c.History = pointed(c.History, func(h History) History {
		h.From, h.Next, h.Until = h.From.UTC(), h.Next.UTC(), h.Until.UTC()
		return h
	})
	c.Followed = pointed(c.Followed, func(f Followed) Followed {
		f.Late = pointed(f.Late, func(l LateWork) LateWork { l.Next = l.Next.UTC(); return l })
		return f
	})
	c.Adopted = pointed(c.Adopted, func(a Adoption) Adoption { a.From, a.To = a.From.UTC(), a.To.UTC(); return a })
	c.Compacted = pointed(c.Compacted, func(m Compaction) Compaction { m.Follows.CommittedAt = m.Follows.CommittedAt.UTC(); return m })
	c.Forgotten = pointed(c.Forgotten, func(f Forgetting) Forgetting {
		f.Before, f.Follows.CommittedAt = f.Before.UTC(), f.Follows.CommittedAt.UTC()
		return f
	})
	c.Settled = pointed(c.Settled, Settlement.utc)
	c.Refused, c.DeadLetters = each(c.Refused, Letter.utc), each(c.DeadLetters, Letter.utc)
	c.Waiting = each(c.Waiting, Intent.utc)
	c.Keys = pointed(c.Keys, func(k KeyList) KeyList { k.Follows.CommittedAt = k.Follows.CommittedAt.UTC(); return k })
	c.Objects = append([]Object{}, each(c.Objects, func(o Object) Object {
		o.MinCreatedAt, o.MaxCreatedAt = o.MinCreatedAt.UTC(), o.MaxCreatedAt.UTC()
		return o
	})...)
	c.Delivered = append([]byte{}, c.Delivered...)
	c.DeliveredBase = pointed(c.DeliveredBase, func(b Base) Base { return b })
	return marshal(c)
}

func (r Record) utc() Record { r.CreatedAt = r.CreatedAt.UTC(); return r }

// each returns the changed elements, and leaves the list alone.
func each[T any](list []T, change func(T) T) []T {
	list = slices.Clone(list)
	for i := range list {
		list[i] = change(list[i])
	}
	return list
}

// pointed returns a pointer to the changed value, and leaves the value alone.
func pointed[T any](p *T, change func(T) T) *T {
	if p == nil {
		return nil
	}
	v := change(*p)
	return &v
}

// marshal renders one line of JSON, and does not escape the & of a URL.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return b.Bytes(), err
}

// decode reads an entry. It ignores a field that it does not know. If the entry calls such a field critical, or asks for a
// newer reader, the error is [ErrNewer]. Also with an error, the result has the SHA-256 and, if it can be read, the writer.
func decode(body []byte) (Stored, *seal.Entry, error) {
	s := Stored{SHA256: digest(body), Leaf: seal.Leaf(body)}
	var h header
	if err := json.Unmarshal(body, &h); err != nil {
		return s, nil, fmt.Errorf("it is not readable as JSON: %w", err)
	}
	if err := strict.Keys(body, entryType()); err != nil {
		return s, nil, fmt.Errorf("it is not readable as an entry: %w", err)
	}
	if err := h.readable(); err != nil {
		var by struct {
			Writer      Writer    `json:"writer"`
			CommittedAt time.Time `json:"committed_at"`
		}
		_ = json.Unmarshal(body, &by) // a newer version may write these fields in another way: then they are unknown
		s.Writer, s.CommittedAt = by.Writer, by.CommittedAt
		return s, nil, err
	}
	var c Checkpoint
	if err := json.Unmarshal(body, &c); err != nil {
		return s, nil, fmt.Errorf("it is not readable as an entry: %w", err)
	}
	s.Checkpoint = c
	if err := c.check(); err != nil {
		return s, nil, err
	}
	sealed, err := seal.NewEntry(body, c.Serial, *c.Seal)
	if err == nil && sealed.Signed() != (len(h.Signatures) > 0) {
		err = errors.New("its signatures are not its last key")
	}
	if err != nil {
		return s, nil, err
	}
	s.Signed = sealed.Signed()
	if s.Signed && s.NewestKeys() == 0 {
		return s, nil, errors.New("it is signed, and names no entry that has the list of the keys")
	}
	return s, sealed, nil
}

// readable tells whether this version may read the entry.
func (h header) readable() error {
	var unknown []string
	for _, name := range h.Critical {
		if _, ok := strict.Fields(entryType())[name]; !ok {
			unknown = append(unknown, name)
		}
	}
	switch {
	case h.Format < Format:
		return fmt.Errorf("it has format %d, which no version of houndtrail writes", h.Format)
	case h.Format > Format:
		return fmt.Errorf("%w: it has format %d and this version of houndtrail reads format %d", ErrNewer, h.Format, Format)
	case h.MinReader > Reader:
		return fmt.Errorf("%w: it asks for reader %d and this version of houndtrail is reader %d", ErrNewer, h.MinReader, Reader)
	case len(unknown) > 0:
		return fmt.Errorf("%w: it has fields that a reader must know and this version of houndtrail does not (%s)",
			ErrNewer, strings.Join(unknown, ", "))
	}
	return nil
}

// check refuses an entry that no writer of this version may write.
func (c *Checkpoint) check() error {
	switch {
	case c.Cursor.IsZero():
		return errors.New("it has no cursor")
	case c.Kind == "":
		return errors.New("it has no kind")
	case c.Lineage == "":
		return errors.New("it has no lineage")
	case c.Seal == nil:
		return errors.New("it has no seal")
	case (c.Kind == KindReset) != (c.Reset != nil), (c.Kind == KindMove) != (c.Moved != nil),
		(c.Kind == KindAdopt) != (c.Adopted != nil), (c.Kind == KindCompact) != (c.Compacted != nil),
		(c.Kind == KindForget) != (c.Forgotten != nil), (c.Kind == KindLetters) != (c.Settled != nil):
		return fmt.Errorf("its kind is %s, and of the fields reset, moved, adopted, compacted, forgotten and settled it must have the one "+
			"of its kind and no other", c.Kind)
	case c.Kind == KindKeys && c.Keys == nil, c.Keys != nil && c.Kind != KindKeys && !c.founds():
		return fmt.Errorf("its kind is %s, and a list of keys is in an entry of kind keys, or in one that begins a journal", c.Kind)
	case c.KeysAt >= c.Serial && c.KeysAt > 0:
		return fmt.Errorf("it says that entry %d before it has the list of keys", c.KeysAt)
	case c.DeliveredBase != nil && !c.DeliveredBase.fits(c):
		return errors.New("it does not say which records were delivered")
	case c.Compacted != nil:
		return c.Compacted.check(c.Objects)
	case c.Forgotten != nil:
		return c.Forgotten.check(c.Objects)
	case c.Settled != nil:
		return c.Settled.check(c.Objects)
	}
	if origin, err := c.origin(); c.founds() && (err != nil || origin != c.Seal.Origin) {
		return fmt.Errorf("its seal is of the journal %s, and it begins the journal of the tenant %q, the stream %q and the lineage %q: "+
			"two journals were mixed", c.Seal.Origin, c.Tenant, c.Stream, c.Lineage)
	}
	return nil
}

// digest is the SHA-256 in lower-case hex, as entries and objects give it.
func digest(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// entryType is an entry with all the fields that this version knows.
func entryType() reflect.Type {
	return reflect.TypeFor[struct {
		Checkpoint
		MinReader  int      `json:"min_reader"`
		Critical   []string `json:"critical"`
		Signatures []string `json:"signatures"`
	}]()
}
