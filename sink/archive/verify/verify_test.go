package verify_test

import (
	"slices"
	"testing"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/sink/archive/verify"
)

// TestSound: a sound archive has no finding after all kinds of events.
func TestSound(t *testing.T) {
	all := bodies(t)
	kinds := map[checkpoint.Kind]int{}
	late := 0
	for _, stream := range []string{archived, filled} {
		for _, e := range entries(t, all, stream) {
			kinds[e.Kind]++
			late += e.Records.Late
		}
	}
	for _, kind := range []checkpoint.Kind{checkpoint.KindExport, checkpoint.KindRescan, checkpoint.KindReset, checkpoint.KindMove, checkpoint.KindCompact} {
		if kinds[kind] == 0 {
			t.Errorf("the archive has no entry of kind %s: %v", kind, kinds)
		}
	}
	if late == 0 {
		t.Error("the archive has no late row")
	}
	place := folders(t, sound.root)
	for _, depth := range []verify.Depth{verify.Heads, verify.Objects, verify.Read} {
		wrong, report := run(t, place.options(depth))
		if len(wrong) > 0 {
			t.Errorf("%s: %q\n%+v", depth, wrong, report.Findings)
		}
		want := []verify.Code{verify.Attempt, verify.Compacted, verify.KeyUnpinned, verify.VersionsUnchecked}
		if depth == verify.Heads {
			want = want[2:]
		} else if report.Objects == 0 {
			t.Errorf("%s: no object was looked at", depth)
		}
		if got := codes(report); !slices.Equal(got, want) && !slices.Equal(got, append(want, verify.HintStale)) {
			t.Errorf("%s: %q, want %q", depth, got, want)
		}
		if len(report.Streams) != 3 || report.Streams[0].Entries == 0 {
			t.Errorf("%s: %+v", depth, report.Streams)
		}
	}
}
