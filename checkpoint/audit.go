package checkpoint

import (
	"context"
	"encoding/json"
	"iter"
)

// An End is the end of a journal as the store tells it.
type End struct {
	Newest uint64 // the highest serial that is there; 0 if there is none
	Hint   Hint   // zero if there is none, or it makes no sense
}

// A Hint is the object <stream>/state/latest: the entry that its writer committed last.
type Hint struct {
	Serial uint64 `json:"serial"`
	SHA256 string `json:"sha256"`
}

// ParseHint reads the bytes of a hint, for example of an earlier version of it. If they make no sense, it is the zero hint.
func ParseHint(body []byte) (h Hint) {
	if json.Unmarshal(body, &h) != nil {
		return Hint{}
	}
	return h
}

// HintKey is the key of the hint.
func (j *Journal) HintKey() string { return j.path(latestName) }

// End looks for the end of the journal. Unlike [Journal.Load], it believes no hint: it also finds entries behind a gap. It returns
// only errors of the store.
func (j *Journal) End(ctx context.Context) (End, error) {
	noted, _, err := j.readNote(ctx)
	if err != nil {
		return End{}, err
	}
	h, err := j.headFrom(ctx, noted)
	if err != nil {
		return End{}, err
	}
	e := End{Newest: h.newest, Hint: Hint{noted.Serial, noted.SHA256}}
	later, err := j.listUnder(ctx, j.path("0"), j.Key(h.newest))
	if len(later) > 0 {
		e.Newest = later[len(later)-1]
	}
	return e, err
}

// Readings returns what the store has at each serial from first to newest, oldest first, and asks for so many entries at a time. It
// verifies each entry by itself only, and goes on after each problem: an entry that cannot be read comes with its serial, its
// SHA-256 and an error ([ErrCorrupt], [ErrForeign] or [ErrNewer]). A gap comes once, as [ErrMissing] with its first serial. The
// entries before the first one that is there were pruned, and do not come. Any other error is the store's, and ends it.
func (j *Journal) Readings(ctx context.Context, first, newest uint64, parallel int) iter.Seq2[Stored, error] {
	return func(yield func(Stored, error) bool) {
		if first > newest {
			return
		}
		for s, err := range j.readRuns(ctx, j.runs(ctx, first, newest), parallel) {
			if !yield(s, err) || !about(err) {
				return
			}
		}
	}
}
