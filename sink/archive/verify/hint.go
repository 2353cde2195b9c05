package verify

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/checkpoint/seal"
)

// hint compares the end of the journal with the hint, and with the highest serial that anything tells of.
func (j *journal) hint(witness uint64) {
	newest, hint := j.end.Newest, j.end.Hint
	switch {
	case witness > newest:
		by := "The hint knows"
		if hint.Serial < witness {
			by = "The lease or an earlier version of the hint knows"
		}
		j.report(EntriesLost, Error, newest+1, "%s %d entries, and the journal ends with entry %d.", by, witness, newest)
	case newest == 0:
	case hint.Serial == 0:
		severity := Warning
		if j.tip.Signed && newest > 1 && j.lease.Holder == (checkpoint.Holder{}) { // a run that ended well has written it
			severity = Error
		}
		j.report(HintMissing, severity, 0, "The hint %s is gone: no other object has the hash of the newest entry, or its head.", j.HintKey())
	case hint.Serial < newest && j.lease.Holder == (checkpoint.Holder{}):
		j.report(HintStale, Warning, 0, "The hint ends with entry %d, and the journal with entry %d.", hint.Serial, newest)
	case hint.Serial < newest: // a run writes the hint at its end
		j.report(HintStale, Info, 0, "The hint ends with entry %d, and the journal with entry %d: the run of %s since %s has not ended.",
			hint.Serial, newest, j.lease.Holder.Host, stamp(j.lease.Since))
	}
}

// earlierHints are the heads in the earlier versions of the hint, as far as the store keeps and shows them: witnesses of entries that
// a person removed together with the hint. bare is the highest serial in the versions without a head.
func (j *journal) earlierHints(ctx context.Context) (heads []*witness, bare uint64) {
	const most = 1000 // if there are more, so many of them at even distances
	versions, _ := j.versions(ctx, j.Positions, j.HintKey())
	versions = slices.DeleteFunc(versions, func(v bucket.Version) bool { return v.Marker })
	step := max(1, (len(versions)+most-1)/most)
	var mu sync.Mutex
	var reading errgroup.Group
	reading.SetLimit(parallel)
	for i := 0; i < len(versions); i += step {
		v := versions[i]
		reading.Go(func() error {
			body, ok := j.versionBody(ctx, j.Positions, v)
			hint := checkpoint.ParseHint(body)
			h, err := seal.ReadHead(hint.Head)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case !ok:
			case err != nil:
				bare = max(bare, hint.Serial)
			default:
				heads = append(heads, &witness{SignedHead: h, where: fmt.Sprintf("version %s of the hint of %s", idOf(v), stamp(v.Written))})
			}
			return nil
		})
	}
	_ = reading.Wait() // the functions return no error
	slices.SortFunc(heads, func(a, b *witness) int { return cmp.Or(cmp.Compare(a.Size, b.Size), cmp.Compare(a.where, b.where)) })
	return slices.CompactFunc(heads, func(a, b *witness) bool { return a.Note() == b.Note() }), bare
}

// hidden looks for entries behind the newest one that delete markers hide.
func (j *journal) hidden(ctx context.Context) {
	folder := func(serial uint64) string {
		key := j.Key(serial)
		return key[:strings.LastIndex(key, "/")+1]
	}
	newest := j.Key(j.end.Newest)
	folders := []string{folder(j.end.Newest)}
	if next := folder(j.end.Newest + 1); next != folders[0] {
		folders = append(folders, next)
	}
	var n int
	var at time.Time
	for _, f := range folders {
		for _, v := range j.versionsOf(ctx, j.Positions, f) {
			if v.Marker && v.Newest && v.Key > newest {
				n++
				if v.Written.After(at) {
					at = v.Written
				}
			}
		}
	}
	if n > 0 {
		j.report(EntryHidden, Error, j.end.Newest+1, "Delete markers hide %d entries after entry %d, the newest of them of %s.",
			n, j.end.Newest, stamp(at))
	}
}
