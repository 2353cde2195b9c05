package verify

import (
	"context"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
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
		j.report(HintMissing, Warning, 0, "The hint %s is gone: no other object has the hash of the newest entry.", j.HintKey())
	case hint.Serial < newest && j.lease.Holder == (checkpoint.Holder{}):
		j.report(HintStale, Warning, 0, "The hint ends with entry %d, and the journal with entry %d.", hint.Serial, newest)
	case hint.Serial < newest: // a run writes the hint at its end
		j.report(HintStale, Info, 0, "The hint ends with entry %d, and the journal with entry %d: the run of %s since %s has not ended.",
			hint.Serial, newest, j.lease.Holder.Host, stamp(j.lease.Since))
	}
}

// earlierHints is the highest serial in the earlier versions of the hint, as far as the store keeps and shows them: a witness of
// entries that a person removed together with the hint.
func (j *journal) earlierHints(ctx context.Context) (highest uint64) {
	const most = 100
	versions, _ := j.versions(ctx, j.Positions, j.HintKey())
	read := 0
	for _, v := range versions {
		if v.Marker || read == most {
			continue
		}
		read++
		if body, ok := j.versionBody(ctx, j.Positions, v); ok {
			highest = max(highest, checkpoint.ParseHint(body).Serial)
		}
	}
	return highest
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
