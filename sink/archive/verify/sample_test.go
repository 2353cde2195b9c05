package verify_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/sink/archive/verify"
	"github.com/houndtrail/houndtrail/sink/sinktest/servers"
)

// sampleOf asks for a part of a place's entries.
func sampleOf(p place, part, parts int) verify.Options {
	o := p.options(verify.Objects)
	o.Sample = &verify.Sample{Seed: "seed", Part: part, Parts: parts, Newest: 10, Block: 8}
	return o
}

// parts verifies all parts. It returns the errors and warnings of each, and the number of all objects that were looked at.
func parts(t *testing.T, p place, n int) (found [][]string, objects int64) {
	t.Helper()
	for part := 1; part <= n; part++ {
		wrong, report := run(t, sampleOf(p, part, n))
		found, objects = append(found, wrong), objects+report.Objects
		if want := fmt.Sprintf("part %d of %d", part, n); !strings.Contains(report.Result(), want) && len(wrong) == 0 {
			t.Errorf("the result does not say %q: %s", want, report.Result())
		}
	}
	return found, objects
}

// many makes a journal of so many entries, with an object each.
func many(t *testing.T, n int) *small {
	t.Helper()
	s := newSmall(t, archived)
	for i := range n {
		s.export(hours(i, i+1), nil, int64(i))
	}
	return s
}

// TestSampleFinds: if older entries or their objects were changed, the part that has them finds that, and no other part does.
func TestSampleFinds(t *testing.T) {
	t.Parallel()
	const n = 3
	s := many(t, 60)
	clean, objects := parts(t, s.place(), n)
	if flat := slices.Concat(clean...); len(flat) > 0 || objects < 60+2*10 || objects > 60+3*(10+3*2) {
		t.Fatalf("sound: %q, %d objects", flat, objects)
	}
	key := func(serial uint64) string { return s.journal.Key(serial) }
	object := func(serial int) string { return files(s)[serial-1] }
	for name, c := range map[string]struct {
		remove []string // keys in the journal's store
		flip   []string
		files  bool // keys in the archive's store instead
		want   string
	}{
		"an object is gone":            {remove: []string{object(13)}, files: true, want: "error object-missing 13"},
		"an object is another one":     {flip: []string{object(30)}, files: true, want: "error object-differs 30"},
		"an entry is gone":             {remove: []string{key(20)}, want: "error entry-missing 20"},
		"an entry is another one":      {flip: []string{key(29)}, want: "error entry-changed 29"},
		"the last entry of a block":    {flip: []string{key(16)}, want: "error entry-changed 16"},
		"the beginning of a block":     {remove: keys(s, 17, 19), want: "error entry-missing 17"},
		"a whole block, and some":      {remove: keys(s, 15, 35), want: "error entry-missing 17"},
		"an object of the newest ones": {remove: []string{object(55)}, files: true, want: "error object-missing 55"},
		"the beginning of the newest":  {remove: keys(s, 50, 53), want: "error entry-missing 51"},
	} {
		in := s.positions
		if c.files {
			in = s.files
		}
		before := map[string][]byte{}
		for _, k := range slices.Concat(c.remove, c.flip) {
			body, _, _, err := in.Get(t.Context(), k)
			check(t, err)
			before[k] = body
			in.Remove(k)
		}
		for _, k := range c.flip {
			s.put(in, k, flip(before[k]))
		}
		found, _ := parts(t, s.place(), n)
		with := 0
		for _, of := range found {
			if slices.Contains(of, c.want) {
				with++
			}
		}
		if newest := strings.Contains(name, "newest"); with == 0 || !newest && with > 2 || newest && with < n-1 {
			t.Errorf("%s: found %q in %d parts; all: %q", name, c.want, with, found)
		}
		for k, body := range before {
			in.Remove(k)
			s.put(in, k, body)
		}
	}
	if again, _ := parts(t, s.place(), n); len(slices.Concat(again...)) > 0 {
		t.Fatalf("put back: %q", again)
	}
}

func keys(s *small, from, to uint64) (all []string) {
	for serial := from; serial <= to; serial++ {
		all = append(all, s.journal.Key(serial))
	}
	return all
}

// TestSampleOfAPrunedJournal: if a rule removed entries from the beginning, that is no error.
func TestSampleOfAPrunedJournal(t *testing.T) {
	t.Parallel()
	s := many(t, 40)
	for _, k := range keys(s, 1, 21) {
		s.positions.Remove(k)
	}
	found, _ := parts(t, s.place(), 2)
	if !same(slices.Concat(found...), []string{"warn pruned 0"}) {
		t.Errorf("found %q", found)
	}
}

// TestSampleOfCompactedDays: a compaction explains that older objects are gone, for any place of its entry. Without it, the missing
// objects are findings.
func TestSampleOfCompactedDays(t *testing.T) {
	t.Parallel()
	s := many(t, 60)
	b := &small{
		t: t, files: s.files, positions: s.positions, sink: s.sink,
		journal: checkpoint.Open(s.positions, checkpoint.Identity{
			Tenant: tenant, Stream: filled, Destination: "s3://lake/" + filled, Encoding: "parquet",
		}, checkpoint.AnyOrder()),
	}
	for i := range 20 {
		b.export(hours(-i-1, -i), nil, int64(5000+i))
	}
	s.compact("")
	for i := range 30 {
		s.export(hours(60+i, 61+i), nil, int64(60+i))
	}
	found, _ := parts(t, s.place(), 3)
	if flat := slices.Concat(found...); len(flat) > 0 {
		t.Errorf("sound: %q", flat)
	}
	late := hours(89, 90).Start.Format("20060102T150405")
	for _, key := range files(s) {
		if strings.Contains(key, ".compact1") && !strings.Contains(key, late) {
			s.files.Remove(key)
			break
		}
	}
	found, _ = parts(t, s.place(), 3)
	if flat := slices.Concat(found...); len(flat) == 0 || !strings.HasPrefix(flat[0], "error object-missing") {
		t.Errorf("a compacted file is gone: %q", found)
	}
}

// TestSampleIsCheap: a sample needs the newest entries, its own ones, and few others. It reads one object.
func TestSampleIsCheap(t *testing.T) {
	t.Parallel()
	s := many(t, 150)
	var gets, reads, stats atomic.Int64
	count := func(get *atomic.Int64) checkpointtest.Hook {
		return func(_ context.Context, op checkpointtest.Op, key string) checkpointtest.Fault {
			switch {
			case op == checkpointtest.Get && !strings.Contains(key, "/state/"):
				get.Add(1)
			case op == checkpointtest.Stat:
				stats.Add(1)
			}
			return checkpointtest.Fault{}
		}
	}
	positions, objects := checkpointtest.NewFaulty(s.positions), checkpointtest.NewFaulty(s.files)
	positions.On(count(&gets))
	objects.On(count(&reads))
	for part := 1; part <= 9; part++ {
		gets.Store(0)
		reads.Store(0)
		stats.Store(0)
		_, report := run(t, sampleOf(place{objects, positions}, part, 9))
		own := report.Streams[0].Entries
		if own < 10 || own > 10+6*10 || gets.Load() > own+40 || stats.Load() != report.Objects || report.Objects != own || reads.Load() != 1 {
			t.Fatalf("part %d: %d entries by %d requests, %d objects by %d requests, %d read", part, own, gets.Load(), report.Objects,
				stats.Load(), reads.Load())
		}
	}
}

// TestSampleOfEverything: if all kinds of events have happened to an archive, no part of it has a finding, for any number of the
// newest entries.
func TestSampleOfEverything(t *testing.T) {
	bodies(t)
	place := folders(t, sound.root)
	for newest := uint64(1); newest < 30; newest += 3 {
		for part := 1; part <= 2; part++ {
			o := place.options(verify.Objects)
			o.Sample = &verify.Sample{Seed: "x", Part: part, Parts: 2, Newest: newest}
			if wrong, report := run(t, o); len(wrong) > 0 {
				t.Errorf("newest %d, part %d: %q\n%+v", newest, part, wrong, report.Findings)
			}
		}
	}
}

// TestSampleOfARewrittenBlock: a block of another history may fit together. But the newest head did not grow out of the head of
// this block.
func TestSampleOfARewrittenBlock(t *testing.T) {
	t.Parallel()
	history := func(first int64) *small {
		s := newSmall(t, archived)
		for i := range 60 {
			ids := []int64{}
			if i == 0 {
				ids = append(ids, first)
			}
			s.export(hours(i, i+1), nil, ids...)
		}
		return s
	}
	s, other := history(1), history(2)
	for serial := uint64(9); serial <= 34; serial++ { // the blocks, and the entries that confirm them
		body, _, _, err := other.positions.Get(t.Context(), s.journal.Key(serial))
		check(t, err)
		s.positions.Remove(s.journal.Key(serial))
		s.put(s.positions, s.journal.Key(serial), body)
	}
	found, _ := parts(t, s.place(), 5)
	if flat := slices.Concat(found...); !slices.ContainsFunc(flat, func(f string) bool { return strings.HasPrefix(f, "error head-unknown") }) {
		t.Errorf("found %q", found)
	}
}

// TestSampleInABucket: in a bucket with versions, a sample of a sound archive has no finding. It also names a version that covers
// an object.
func TestSampleInABucket(t *testing.T) {
	t.Parallel()
	all, server := bodies(t), servers.VersityGW(t)
	servers.CreateBucket(t, server, lake, true)
	v := inBucket(t, server, "sampled", all)
	look := func(part int) []string {
		wrong, _ := run(t, sampleOf(v.place, part, 2))
		return wrong
	}
	if wrong := slices.Concat(look(1), look(2)); len(wrong) > 0 {
		t.Errorf("sound: %q", wrong)
	}
	name, e := v.victim()
	v.put(name, flip(all[name]))
	want := fmt.Sprintf("error object-shadowed %d", e.Serial)
	if wrong := slices.Concat(look(1), look(2)); !slices.Contains(wrong, want) {
		t.Errorf("found %q, want %q", wrong, want)
	}
}
