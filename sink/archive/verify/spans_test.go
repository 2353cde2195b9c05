package verify

import (
	"cmp"
	"testing"

	"pgregory.net/rapid"
)

// TestSpans: all parts of a sample together have every entry. Each part has the newest entries, and an older block is in one part
// only.
func TestSpans(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		newest := rapid.Uint64Range(1, 3000).Draw(t, "newest")
		s := Sample{
			Seed: rapid.String().Draw(t, "seed"), Parts: rapid.IntRange(1, 30).Draw(t, "parts"), Newest: rapid.Uint64Range(0, 500).Draw(t, "least"),
			Block: rapid.SampledFrom([]uint64{0, 1, 7, 64}).Draw(t, "block"),
		}
		must := newest - min(newest, max(s.Newest, 1)) + 1
		if since := rapid.Uint64Range(0, 3500).Draw(t, "since"); since > 0 {
			s.Since = map[string]uint64{"archive": since, "webhook": 1}
			must = min(must, since+1)
		}
		looks := make([]int, newest+1)
		for s.Part = 1; s.Part <= s.Parts; s.Part++ {
			behind := uint64(0)
			for _, of := range s.spans("archive", newest) {
				if of.first <= behind || of.last < of.first {
					t.Fatalf("part %d has %d to %d after %d", s.Part, of.first, of.last, behind)
				}
				behind = of.last
				for serial := of.first; serial <= of.last; serial++ {
					looks[serial]++
				}
			}
			if behind != newest {
				t.Fatalf("part %d ends with entry %d of %d", s.Part, behind, newest)
			}
		}
		confirmed := 0
		for serial := uint64(1); serial <= newest; serial++ {
			switch n := looks[serial]; {
			case n == 0, serial >= must && n != s.Parts:
				t.Fatalf("entry %d is in %d of %d parts; the newest begin with %d", serial, n, s.Parts, must)
			case serial < must && n > 1+confirming:
				t.Fatalf("entry %d is in %d parts", serial, n)
			case serial < must:
				confirmed += n - 1
			}
		}
		if blocks := int(must/cmp.Or(s.Block, blockSize)) + 1; confirmed > blocks*confirming {
			t.Fatalf("%d entries of %d blocks are in two parts", confirmed, blocks)
		}
	})
}

// TestChance: each part has about as many blocks. Another seed and another journal have other blocks in it.
func TestChance(t *testing.T) {
	t.Parallel()
	const parts, blocks = 10, 5000
	has := func(seed, journal string, part int) (found map[uint64]bool) {
		found = map[uint64]bool{}
		s := Sample{Seed: seed, Part: part, Parts: parts}
		for number := range uint64(blocks) {
			if s.has(journal, number) {
				found[number] = true
			}
		}
		return found
	}
	for part := 1; part <= parts; part++ {
		one := has("a", "archive", part)
		for name, other := range map[string]map[uint64]bool{"seed": has("b", "archive", part), "journal": has("a", "webhook", part)} {
			both := 0
			for number := range one {
				if other[number] {
					both++
				}
			}
			if n := len(one); n < blocks/parts*3/4 || n > blocks/parts*5/4 || both > 2*blocks/parts/parts {
				t.Errorf("part %d has %d of %d blocks, and %d with another %s, too", part, n, blocks, both, name)
			}
		}
	}
}
