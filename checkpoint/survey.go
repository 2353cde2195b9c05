package checkpoint

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/houndtrail/houndtrail/checkpoint/seal"
	"github.com/houndtrail/houndtrail/exporter/window"
)

// Survey returns every entry of the journal that it can read, oldest first, and goes on after a problem. It is for people who look
// at a damaged journal. A problem comes with its entry. That entry always has its Serial. It has its SHA256 if the store has
// bytes, and the rest if it can be read:
//
//   - an entry that is damaged or of another stream, a broken link, a note that disagrees, a journal whose end is lost;
//   - missing entries, once for each gap, with the first serial of it;
//   - an entry of a newer version, with its writer;
//   - a newest entry of another identity. Older entries may have any identity, as long as each change of it is a move;
//   - a newest entry whose set of delivered ids cannot be read any more.
//
// Entries missing before the first one were pruned. They are no problem. An error of the store ends the survey.
func (j *Journal) Survey(ctx context.Context) iter.Seq2[Stored, error] {
	return func(yield func(Stored, error) bool) {
		h, err := j.head(ctx)
		if err != nil {
			yield(Stored{}, err)
			return
		}
		var before Stored
		for s, err := range j.readRuns(ctx, j.runs(ctx, 1, h.newest), readAhead) {
			next := s
			switch {
			case err == nil:
				err = j.judge(ctx, before, s, h)
			case errors.Is(err, ErrNewer): // its bytes are sound
			default:
				next = Stored{} // the next entry cannot be verified against this one
			}
			if !yield(s, err) || !about(err) {
				return
			}
			before = next
		}
		if h.lost {
			yield(Stored{Checkpoint: Checkpoint{Serial: h.noted.Serial}}, j.lost(h.noted))
		}
	}
}

// judge returns the problem of an entry that can be read; nil if it has no problem.
func (j *Journal) judge(ctx context.Context, before, s Stored, h head) error {
	err := j.verify(before, s, h.noted)
	if err == nil && s.Serial == h.newest {
		err = j.belongs(s)
	}
	if err == nil && s.Serial == h.newest {
		_, _, err = j.Delivered(ctx, s)
	}
	return err
}

// about is true for an error about an entry, and for nil. It is false for an error of the store.
func about(err error) bool {
	return err == nil || errors.Is(err, ErrCorrupt) || errors.Is(err, ErrForeign) || errors.Is(err, ErrNewer)
}

// A run is a span of serials that exist.
type run struct{ first, last uint64 }

// runs returns the runs of serials from first on that the store lists, segment by segment, and the newest serial.
func (j *Journal) runs(ctx context.Context, first, newest uint64) iter.Seq2[run, error] {
	return func(yield func(run, error) bool) {
		if newest == 0 {
			return
		}
		last := newest / segment
		for number := first / segment; number <= last; number++ {
			serials, err := j.listUnder(ctx, j.folder(number), j.Key(first-1))
			if err != nil {
				yield(run{}, err)
				return
			}
			if number == last && (len(serials) == 0 || serials[len(serials)-1] < newest) { // the listing is behind
				serials = append(serials, newest)
			}
			for len(serials) > 0 && serials[0] <= newest {
				r := run{serials[0], serials[0]}
				for serials = serials[1:]; len(serials) > 0 && serials[0] == r.last+1 && r.last < newest; serials = serials[1:] {
					r.last++
				}
				if !yield(r, nil) {
					return
				}
			}
		}
	}
}

// readRuns yields the entries of the runs, and one error for each gap between two of them. It asks the store for up to parallel
// entries at a time.
func (j *Journal) readRuns(ctx context.Context, runs iter.Seq2[run, error], parallel int) iter.Seq2[Stored, error] {
	return j.ask(ctx, parallel, func(yield func(question) bool) {
		var before run
		for r, err := range runs {
			if err != nil {
				yield(func(context.Context) []answer { return []answer{{err: err}} })
				return
			}
			if gap := (run{before.last + 1, r.first - 1}); before.last > 0 && gap.first <= gap.last &&
				!yield(func(ctx context.Context) []answer { return j.readGap(ctx, gap) }) {
				return
			}
			for serial := r.first; serial <= r.last; serial++ {
				if !yield(j.entryOf(serial)) {
					return
				}
			}
			before = r
		}
	})
}

// readGap reads the entries of a gap, since a listing may be behind. It stops at the first entry that is really missing.
func (j *Journal) readGap(ctx context.Context, gap run) (found []answer) {
	for serial := gap.first; serial <= gap.last; serial++ {
		s, err := j.entry(ctx, serial)
		missing := errors.Is(err, ErrMissing)
		if missing && serial < gap.last {
			err = j.corrupt(j.Key(serial), fmt.Errorf("%w, and so are all up to entry %d", ErrMissing, gap.last))
		}
		found = append(found, answer{s, err})
		if missing || !about(err) {
			break
		}
	}
	return found
}

// Account fills in the sums over the journal for an entry that follows prev. They are the totals, the open letters, and the time
// before which the archive's records were removed. If windows may come in any order, they include the time that the windows cover together.
func Account(prev, next Checkpoint, anyOrder bool) Checkpoint {
	next.Totals = prev.Totals
	next.Totals.Delivered += int64(next.Records.Fresh - len(next.Refused))
	next.Totals.Filtered += int64(next.Records.Filtered)
	next.Totals.Diverted += int64(next.Records.Diverted)
	next.Totals.Paired += int64(next.Records.Paired + next.Records.Matched)
	if a := next.Adopted; a != nil { // the totals of the lost entries do not count
		next.Totals.Delivered, next.Totals.Objects, next.Totals.Bytes = a.Records, int64(a.Objects), a.Bytes
	}
	next.settle(prev)
	for _, o := range next.Objects {
		if next.Kind == KindCompact { // its records were counted when they were delivered
			break
		}
		next.Totals.Objects++
		next.Totals.Bytes += o.Bytes
	}
	if next.Kind == KindExport || next.Kind == KindHistory {
		next.Totals.count(next.ServerCount, int64(next.Records.Read))
	}
	next.HolesTotal, next.HoledAt = prev.HolesTotal+int64(len(next.Holes)), prev.HoledAt
	if len(next.Holes) > 0 {
		next.HoledAt = next.CommittedAt
	}
	next.ChangedTotal = prev.ChangedTotal
	if next.Changed != nil {
		next.ChangedTotal += int64(next.Changed.Altered) + int64(next.Changed.Gone)
	}
	next.ForgottenBefore = forgottenBefore(prev, next)
	next.Covered = nil
	if anyOrder {
		next.Covered = union(prev.Covered, next.Window)
	}
	return next
}

// count adds the records that were read in a window.
func (t *Totals) count(counted *ServerCount, read int64) {
	status := CountUnknown
	if counted != nil {
		status = counted.Status
	}
	switch status {
	case CountExact:
		t.Exact += read
	case CountBounded:
		t.Bounded += read
	default:
		t.Unknown += read
	}
}

// union adds a window to the covered ones. The result is sorted. Windows that touch become one.
func union(covered []window.Window, w window.Window) []window.Window {
	if !w.Start.Before(w.End) {
		return covered
	}
	all := append(slices.Clone(covered), window.Window{Start: w.Start.UTC(), End: w.End.UTC()})
	slices.SortFunc(all, func(a, b window.Window) int { return cmp.Or(a.Start.Compare(b.Start), a.End.Compare(b.End)) })
	joined := all[:1]
	for _, w := range all[1:] {
		switch last := &joined[len(joined)-1]; {
		case w.Start.After(last.End):
			joined = append(joined, w)
		case w.End.After(last.End):
			last.End = w.End
		}
	}
	return joined
}

// An End is the end of a journal, according to the store.
type End struct {
	Newest uint64 // the highest serial that exists; 0 if there is none
	Hint   Hint   // zero if there is none, or if it makes no sense
}

// A Hint is the object <stream>/state/latest: the entry that its writer committed last.
type Hint struct {
	Serial uint64 `json:"serial"`
	SHA256 string `json:"sha256"`
	Head   string `json:"head"` // of the tree with that entry as its newest: a note, of which nothing is checked
}

// TreeHead is the head of the tree with this entry as its newest leaf. The entry's own seal and bytes make it.
func (s Stored) TreeHead() (seal.Head, error) {
	if s.Seal == nil {
		return seal.Head{}, fmt.Errorf("entry %d cannot be read", s.Serial)
	}
	return s.ownHead()
}

// ParseHint reads the bytes of a hint, for example of an earlier version of it. If they make no sense, the result is the zero
// hint.
func ParseHint(body []byte) (h Hint) {
	if json.Unmarshal(body, &h) != nil {
		return Hint{}
	}
	return h
}

// HintKey is the key of the hint.
func (j *Journal) HintKey() string { return j.path(latestName) }

// End looks for the end of the journal. Unlike [Journal.Load], it does not rely on the hint: it also finds entries behind a gap.
// It returns only errors of the store.
func (j *Journal) End(ctx context.Context) (End, error) {
	noted, _, err := j.readNote(ctx)
	if err != nil {
		return End{}, err
	}
	h, err := j.headFrom(ctx, noted)
	if err != nil {
		return End{}, err
	}
	e := End{Newest: h.newest, Hint: Hint{noted.Serial, noted.SHA256, noted.Head}}
	later, err := j.listUnder(ctx, j.path("0"), j.Key(h.newest))
	if len(later) > 0 {
		e.Newest = later[len(later)-1]
	}
	return e, err
}

// Readings returns the entries that the store has at the serials from first to newest, oldest first. It asks for up to parallel
// entries at a time. It verifies each entry by itself only, and goes on after each problem. An entry that cannot be read comes
// with its serial, its SHA-256 and an error ([ErrCorrupt], [ErrForeign] or [ErrNewer]). A gap comes once, as [ErrMissing] with its
// first serial. Entries before the first one that exists were pruned, and do not come. Any other error is an error of the store,
// and ends it.
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
