package verify

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/seal"
)

// A Remembered head is one that the reader kept outside of the store. The journal must have grown out of the tree of that head.
type Remembered struct {
	Where string // a file
	Head  *seal.SignedHead
}

// A witness is a head that tells an earlier state of the journal.
type witness struct {
	*seal.SignedHead

	where   string
	kind    testimony
	settled bool // it was compared
	agrees  bool
}

// A testimony is the origin of a witness. It decides how much the witness counts.
type testimony int

const (
	earlier testimony = iota // an earlier version of the hint
	within                   // an entry of a sample
	noted                    // the hint
	given                    // the reader kept it outside of the store
)

// Stream is the stream of the journal. It does not tell the tenant or the id of the journal.
func (h Remembered) Stream() string {
	parts := strings.Split(h.Head.Origin, "/")
	return parts[len(parts)-2] // there are four
}

// ParseHeads reads the heads in a file. The file is one note, or JSON with notes in fields named head. Such JSON is a log, the
// output of status and verify, or the hint itself. A line may begin with other text.
func ParseHeads(where string, file []byte) ([]Remembered, error) {
	if h, err := seal.ReadHead(strings.TrimSpace(string(file)) + "\n"); err == nil {
		return []Remembered{{where, h}}, nil
	}
	var notes []string
	var value any
	if json.Unmarshal(file, &value) == nil {
		notes = headsIn(value)
	} else {
		for line := range bytes.Lines(file) {
			if at := bytes.IndexByte(line, '{'); at >= 0 && json.Unmarshal(line[at:], &value) == nil {
				notes = append(notes, headsIn(value)...)
			}
		}
	}
	slices.Sort(notes)
	var heads []Remembered
	for _, note := range slices.Compact(notes) {
		h, err := seal.ReadHead(note)
		if err != nil {
			return nil, fmt.Errorf("%s: the head %.80q: %w", where, note, err)
		}
		heads = append(heads, Remembered{where, h})
	}
	if len(heads) == 0 {
		return nil, fmt.Errorf("%s has no head: want a head as Houndtrail prints it, or lines of JSON with a field head, such as a log or "+
			"the output of houndtrail status -o json", where)
	}
	return heads, nil
}

// headsIn returns the notes of journals in a value of JSON.
func headsIn(value any) (notes []string) {
	switch value := value.(type) {
	case []any:
		for _, v := range value {
			notes = append(notes, headsIn(v)...)
		}
	case map[string]any:
		for name, v := range value {
			if note, ok := v.(string); ok && name == "head" && strings.Contains(note, "/houndtrail/") {
				notes = append(notes, note)
			}
			notes = append(notes, headsIn(v)...)
		}
	}
	return notes
}

// witnesses collects all heads that tell an earlier state of the journal. It reports those with more entries than the journal has
// now.
func (j *journal) witnesses(hints []*witness) {
	var all []*witness
	switch h, err := seal.ReadHead(j.end.Hint.Head); {
	case j.end.Hint.Serial == 0:
	case err == nil && h.Size == j.end.Hint.Serial:
		j.noted = &witness{SignedHead: h, where: "the hint", kind: noted}
		all = append(all, j.noted)
	case j.end.Hint.Serial == j.end.Newest:
		j.report(TipUnsealed, Warning, 0, "The hint %s has no head of entry %d, which is the newest: no head vouches for that entry.",
			j.HintKey(), j.end.Newest)
	}
	for _, w := range hints {
		switch {
		case j.noted != nil && w.Note() == j.noted.Note(): // the same object
		case j.outdated(w) && w.Size > j.end.Newest:
			j.others = append(j.others, w)
		case j.ours(w):
			all = append(all, w)
		}
	}
	once := map[string]bool{}
	for _, h := range j.Heads {
		if note := h.Head.Note(); h.Stream() == j.Name && !once[note] {
			once[note] = true
			all = append(all, &witness{SignedHead: h.Head, where: h.Where, kind: given})
		}
	}
	j.remembered = map[uint64][]*witness{}
	for _, w := range all {
		switch {
		case w.Size <= j.end.Newest:
			j.remembered[w.Size] = append(j.remembered[w.Size], w)
		case w.kind == given && j.outdated(w):
			j.foreign(w, j.tip.Seal.Origin)
		case w.kind == given:
			j.report(RolledBack, Error, j.end.Newest+1, "%s has a head of %d entries (root %s), and the journal ends with entry %d.",
				w.where, w.Size, w.Root.Base64(), j.end.Newest)
		}
	}
}

// outdated tells whether a head has another name than the journal has now.
func (j *journal) outdated(w *witness) bool { return j.tip.Readable() && w.Origin != j.tip.Seal.Origin }

// ours tells whether a writer of the journal can have made a head. Any person who may write to the store can put a head there.
func (j *journal) ours(w *witness) bool {
	return len(j.Keys) == 0 || j.ring(w.Origin).JudgeHead(w.SignedHead) == nil
}

// hold compares an entry with the remembered heads of two trees: the tree that ends with this entry, and the tree before it.
func (j *journal) hold(s checkpoint.Stored) {
	if sealed, err := seal.ReadHead(s.Seal.Head); err == nil {
		for _, w := range j.remembered[s.Serial-1] {
			if !w.settled && (w.Origin == sealed.Origin || w.Root == sealed.Root) {
				j.compare(w, sealed.Head)
			}
		}
	}
	if h := j.end.Hint; h.Serial == s.Serial && s.Serial < j.end.Newest && h.SHA256 != s.SHA256 && h.SHA256 != "" {
		j.report(HeadChanged, Error, s.Serial, "Entry %d has the SHA-256 %s, and the hint says that it was %s.", s.Serial, s.SHA256, h.SHA256)
	}
	own, err := s.TreeHead()
	if err != nil {
		return // Parse has refused such an entry
	}
	if s.Serial == j.end.Newest {
		j.stream.Head = own.Text()
	}
	for _, w := range j.remembered[s.Serial] {
		if !w.settled {
			j.compare(w, own)
		}
	}
}

// compare compares a witness with the head that the entries make at the same size.
func (j *journal) compare(w *witness, own seal.Head) {
	w.settled = true
	switch {
	case w.Root == own.Root && (w.Origin != own.Origin || w.Text() == own.Text()): // an adoption renames the same entries
		j.agree(w)
		if w == j.noted && w.Size == j.end.Newest {
			j.stream.Head = w.Note()
		}
	case w.Origin != own.Origin:
		j.foreign(w, own.Origin)
	case w.Root != own.Root:
		j.report(Forked, Error, w.Size, "There are two heads of %d entries: %s has the root %s, and the entries make %s.",
			w.Size, w.where, w.Root.Base64(), own.Root.Base64())
	default:
		j.report(HeadChanged, Error, w.Size, "The head of %d entries in %s says cursor %s and %d records, and the entries say %s and %d.",
			w.Size, w.where, stamp(w.Cursor), w.Records, stamp(own.Cursor), own.Records)
	}
}

// agree notes that the journal grew out of the tree of a head.
func (j *journal) agree(w *witness) {
	w.agrees = true
	if w.kind == given {
		j.run.report.Heads++
	}
}

// foreign reports a head of another journal. An adoption begins a journal with a new name, and some of its entries may be lost. So
// earlier hints with the previous name are no fault.
func (j *journal) foreign(w *witness, origin string) {
	if w.kind == earlier {
		j.others = append(j.others, w)
		return
	}
	j.report(HeadUnknown, Error, w.Size, "The head of %d entries in %s is of the journal %s, and this one is %s.",
		w.Size, w.where, w.Origin, origin)
}

// unsettled compares the remaining heads with the newest entry, by a proof from few entries.
func (j *journal) unsettled(ctx context.Context) {
	var left []*witness
	for _, of := range j.remembered {
		left = append(left, slices.DeleteFunc(slices.Clone(of), func(w *witness) bool { return w.settled })...)
	}
	slices.SortStableFunc(left, func(a, b *witness) int { return cmp.Or(cmp.Compare(a.Size, b.Size), cmp.Compare(a.where, b.where)) })
	tip, err := j.tip.TreeHead()
	if err != nil || !j.whole() {
		j.unchecked(left, errors.New("the entries are not as they were committed"))
		return
	}
	nodes := j.nodes(ctx)
	for _, w := range left {
		proof, err := seal.ProveConsistency(w.Size, tip.Size, nodes)
		switch {
		case err != nil && ctx.Err() != nil:
			return
		case errors.Is(err, fs.ErrNotExist), errors.As(err, new(unreadable)):
			j.unchecked([]*witness{w}, err)
			continue
		case err != nil:
			j.unread(err)
			return
		}
		j.settle(w, proof.Check(w.Root, tip.Root) == nil, tip)
	}
	j.explained(ctx)
}

// settle notes whether the journal's entries grew out of the tree of a head.
func (j *journal) settle(w *witness, grown bool, tip seal.Head) {
	w.settled = true
	switch {
	case grown:
		j.agree(w)
	case w.Origin != tip.Origin:
		j.foreign(w, tip.Origin)
	default:
		j.report(Forked, Error, w.Size, "%s has a head of %d entries with the root %s, and the journal's %d entries did not grow out of "+
			"that tree.", w.where, w.Size, w.Root.Base64(), tip.Size)
	}
}

// explained reports the earlier hints with another name, unless an adoption gave the journal its name. In that case entry 1 has
// another name, or is an adoption itself.
func (j *journal) explained(ctx context.Context) {
	if len(j.others) == 0 {
		return
	}
	severity := Warning // if the first entry was pruned
	body, _, _, err := j.Positions.Get(ctx, j.Key(1))
	if err == nil {
		first, err := j.Parse(1, body)
		if err == nil && (first.Kind == checkpoint.KindAdopt || first.Seal.Origin != j.tip.Seal.Origin) {
			return
		}
		severity = Error
	} else if !errors.Is(err, fs.ErrNotExist) {
		j.unread(err)
		return
	}
	w := j.others[0]
	j.report(HeadUnknown, severity, 0, "%s of the hint %s of another journal, such as %s of %d entries of %s, and no adoption explains that.",
		plural(len(j.others), "earlier version"), isAre(len(j.others) > 1), w.where, w.Size, w.Origin)
}

// whole tells whether the newest entry is readable, and no entry so far has an error.
func (j *journal) whole() bool {
	return j.tip.Readable() && !slices.ContainsFunc(j.found.list, func(f Finding) bool {
		return f.Severity == Error && strings.HasPrefix(string(f.Code), "entr")
	})
}

// unchecked reports the reader's heads that cannot be compared.
func (j *journal) unchecked(left []*witness, why error) {
	for _, w := range left {
		if w.kind == given {
			j.report(HeadUnchecked, Warning, 0, "The head of %d entries in %s cannot be compared with the journal: %v.", w.Size, w.where, why)
		}
	}
}
