package verify_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/checkpoint/seal"
	"github.com/houndtrail/houndtrail/exporter/window"
	"github.com/houndtrail/houndtrail/sink/archive/verify"
)

// long makes an unsigned journal of so many entries, and returns the heads of some of them.
func long(t testing.TB, n int, sizes ...int) (s *small, heads []verify.Remembered) {
	t.Helper()
	s = newSmall(t, archived)
	for i := range n {
		s.export(hours(i, i+1), nil)
		if slices.Contains(sizes, i+1) {
			heads = append(heads, headOf(t, fmt.Sprintf("head %d", i+1), s.last.Head))
		}
	}
	return s, heads
}

// TestOldHeads: each depth compares a head of any age. The shallowest one reads few entries for that.
func TestOldHeads(t *testing.T) {
	t.Parallel()
	s, heads := long(t, 700, 1, 2, 255, 256, 300, 443, 444, 445, 512, 699, 700)
	var reads atomic.Int64
	counted := checkpointtest.NewFaulty(s.positions)
	counted.On(func(_ context.Context, op checkpointtest.Op, _ string) checkpointtest.Fault {
		if op == checkpointtest.Get {
			reads.Add(1)
		}
		return checkpointtest.Fault{}
	})
	for _, depth := range []verify.Depth{verify.Heads, verify.Objects} {
		o := place{s.files, counted}.options(depth)
		o.Heads = heads
		if got, report := run(t, o); len(got) > 0 {
			t.Errorf("%s: %q\n%+v", depth, got, report.Findings)
		}
		if n := reads.Load(); depth == verify.Heads && n > 320 {
			t.Errorf("the newest entries and the proofs took %d reads", n)
		}
		for _, h := range heads {
			forged := *h.Head
			forged.Root[5] ^= 1
			o.Heads = []verify.Remembered{{Where: "forged", Head: &forged}}
			if got, _ := run(t, o); !same(got, []string{fmt.Sprint("error forked ", forged.Size)}) {
				t.Errorf("%s: a head of %d entries with another root: %q", depth, forged.Size, got)
			}
		}
	}
}

// TestRemembered: the findings of a remembered head about a journal that was changed.
func TestRemembered(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		do   func(s *small) verify.Remembered
		want []string
	}{
		{"later entries lost", func(s *small) verify.Remembered {
			h := headOf(s.t, "kept", s.last.Head)
			s.positions.Remove(s.journal.Key(6))
			s.positions.Remove(s.journal.HintKey())
			return h
		}, []string{"error rolled-back 6", "warn hint-missing 0"}},
		{"all entries lost", func(s *small) verify.Remembered {
			h := headOf(s.t, "kept", s.last.Head)
			s.positions.Remove(s.journal.HintKey())
			for serial := range uint64(6) {
				s.positions.Remove(s.journal.Key(serial + 1))
			}
			return h
		}, []string{"error rolled-back 1", "error entries-lost 0"}},
		{"another journal in its place", func(s *small) verify.Remembered {
			h := headOf(s.t, "kept", s.last.Head)
			s.positions, s.last = new(checkpointtest.Memory), checkpoint.Stored{}
			s.journal = checkpoint.Open(s.positions, checkpoint.Identity{Tenant: tenant, Stream: archived})
			for i := range 7 {
				s.export(hours(i, i+1), nil)
			}
			return h
		}, []string{"error head-unknown 6"}},
		{"of another stream", func(s *small) verify.Remembered {
			h, err := s.last.TreeHead()
			check(s.t, err)
			h.Origin = strings.Replace(h.Origin, "/archive/", "/lake/", 1)
			return headOf(s.t, "kept", h.Text())
		}, []string{"error head-unknown 0"}},
		{"its entry and the next removed", func(s *small) verify.Remembered {
			h, err := seal.ReadHead(s.last.Seal.Head)
			check(s.t, err)
			s.export(hours(6, 7), nil)
			s.export(hours(7, 8), nil)
			s.positions.Remove(s.journal.Key(5))
			s.positions.Remove(s.journal.Key(6))
			return verify.Remembered{Where: "kept", Head: h}
		}, []string{"error entry-missing 5", "warn head-unchecked 0"}},
		{"before the first entry that is there", func(s *small) verify.Remembered {
			h, err := seal.ReadHead(s.last.Seal.Head)
			check(s.t, err)
			s.export(hours(6, 7), nil)
			for serial := range uint64(6) {
				s.positions.Remove(s.journal.Key(serial + 1))
			}
			return verify.Remembered{Where: "kept", Head: h}
		}, []string{"warn head-unchecked 0", "warn pruned 0"}},
		{"before an adoption", func(s *small) verify.Remembered {
			h := headOf(s.t, "kept", s.last.Head)
			s.adopt(hours(6, 6))
			return h
		}, nil},
		{"before an adoption over a damaged entry", func(s *small) verify.Remembered {
			h, err := seal.ReadHead(s.last.Seal.Head)
			check(s.t, err)
			s.put(s.positions, s.journal.Key(6), []byte("{"))
			tip, err := s.journal.Tip(s.t.Context())
			check(s.t, err)
			s.last = tip
			s.adopt(hours(6, 6))
			s.export(hours(6, 7), nil)
			return verify.Remembered{Where: "kept", Head: h}
		}, []string{"warn entry-changed 6"}},
		{"of an entry that an adoption took the place of", func(s *small) verify.Remembered {
			h := headOf(s.t, "kept", s.last.Head)
			s.positions.Remove(s.journal.Key(6))
			tip, err := s.journal.Tip(s.t.Context())
			check(s.t, err)
			s.last = tip
			s.adopt(hours(5, 5))
			return h
		}, []string{"error head-unknown 6"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, _ := long(t, 6)
			head := c.do(s)
			o := s.place().options(verify.Objects)
			o.Heads = []verify.Remembered{head}
			if got, report := run(t, o); !same(got, c.want) {
				t.Errorf("%q, want %q\n%+v", got, c.want, report.Findings)
			}
		})
	}
}

// adopt commits an adoption of an archive without objects.
func (s *small) adopt(at window.Window) {
	s.t.Helper()
	s.export(window.Window{Start: at.Start, End: at.End, Pass: 7}, func(e *checkpoint.Checkpoint) {
		e.Kind, e.Epoch, e.Adopted = checkpoint.KindAdopt, 7, &checkpoint.Adoption{Reason: "lost"}
	})
}

// TestKeys: the findings about the signatures of a journal, for readers with different keys.
func TestKeys(t *testing.T) {
	t.Parallel()
	sign := func(n ...byte) checkpoint.Option {
		var option checkpoint.Option
		switch len(n) {
		case 0:
			option = checkpoint.Sign()
		case 1:
			option = checkpoint.Sign(checkpointtest.Key(n[0]))
		default:
			option = checkpoint.Sign(checkpointtest.Key(n[0]), checkpointtest.Key(n[1]))
		}
		return option
	}
	for _, c := range []struct {
		name  string
		sign  []checkpoint.Option // for every two entries
		keys  []byte
		want  []string
		codes []verify.Code // codes of information
	}{
		{"no signature, no key", []checkpoint.Option{sign()}, nil, nil, []verify.Code{verify.Unsigned}},
		{"no signature", []checkpoint.Option{sign()}, []byte{1}, []string{"error downgraded 2"}, []verify.Code{verify.Unsigned}},
		{"no key", []checkpoint.Option{sign(1)}, nil, nil, []verify.Code{verify.KeyUnpinned}},
		{"the key", []checkpoint.Option{sign(1)}, []byte{1}, nil, nil},
		{"one key too many", []checkpoint.Option{sign(1)}, []byte{2, 1}, nil, nil},
		{"another key", []checkpoint.Option{sign(1)}, []byte{2}, []string{
			"error key-unvouched 1", "error hint-signature 2", "error head-signature 1", "error entry-signature 2", "error entry-signature 1",
		}, nil},
		{"signed late", []checkpoint.Option{sign(), sign(1)}, []byte{1}, nil, []verify.Code{verify.SignedLate}},
		{"a new key", []checkpoint.Option{sign(1), sign(1, 2), sign(2)}, []byte{1, 2}, nil, nil},
		{"a new key, and only the new one given", []checkpoint.Option{sign(1), sign(1, 2), sign(2)}, []byte{2}, nil, nil},
		{"a new key, and only the old one given", []checkpoint.Option{sign(1), sign(1, 2), sign(2)}, []byte{1}, nil, nil},
	} {
		for _, depth := range []verify.Depth{verify.Heads, verify.Objects} {
			t.Run(c.name+" "+string(depth), func(t *testing.T) {
				t.Parallel()
				s := newSmall(t, archived)
				for i, option := range c.sign {
					s.journal = checkpoint.Open(s.positions, checkpoint.Identity{Tenant: tenant, Stream: archived}, option)
					s.declare()
					s.export(hours(2*i, 2*i+1), nil)
					s.export(hours(2*i+1, 2*i+2), nil)
				}
				o := s.place().options(depth)
				for _, n := range c.keys {
					o.Keys = append(o.Keys, seal.PublicOf(checkpointtest.Key(n)))
				}
				got, report := run(t, o)
				if !same(got, c.want) {
					t.Errorf("%q, want %q\n%+v", got, c.want, report.Findings)
				}
				for _, code := range []verify.Code{verify.Unsigned, verify.KeyUnpinned, verify.SignedLate} {
					want := slices.Contains(c.codes, code) && (code != verify.SignedLate || depth != verify.Heads)
					if slices.Contains(codes(report), code) != want {
						t.Errorf("%s: %t\n%+v", code, !want, report.Findings)
					}
				}
				if head := report.Streams[0].Head; head != s.last.Head || report.Streams[0].Signed != s.last.Signed {
					t.Errorf("the report has the head %q, want %q", head, s.last.Head)
				}
			})
		}
	}
}

// TestParseHeads: the forms in which a person keeps heads.
func TestParseHeads(t *testing.T) {
	t.Parallel()
	s, _ := long(t, 2)
	first, second := s.last.Seal.Head, s.last.Head
	quoted := func(note string) string {
		body, err := json.Marshal(note)
		check(t, err)
		return string(body)
	}
	for name, c := range map[string]struct {
		file string
		want []string
		err  string
	}{
		"a note":                   {file: second, want: []string{second}},
		"a note without a newline": {file: strings.TrimSpace(second), want: []string{second}},
		"a log": {
			file: `{"msg":"new stream"}` + "\n" + `{"msg":"committed","head":` + quoted(first) + "}\nno json\n" +
				`12:00 INFO committed {"head": ` + quoted(second) + "}\n" + `{"head":` + quoted(second) + "}\n",
			want: []string{first, second},
		},
		"a report over many lines": {file: "{\n\"streams\": [{\"head\":\n" + quoted(first) + "}, {\"head\": \"\"}]}", want: []string{first}},
		"of another program":       {file: `{"head":"HEAD"}`, err: "f has no head: want a head as Houndtrail prints it, or lines"},
		"nothing":                  {err: "f has no head"},
		"a damaged one":            {file: `{"head":` + quoted(strings.Replace(second, "cursor", "Cursor", 1)) + "}", err: "f: the head"},
	} {
		heads, err := verify.ParseHeads("f", []byte(c.file))
		var got []string
		for _, h := range heads {
			got = append(got, h.Head.Note())
		}
		if !slices.Equal(got, c.want) || (err == nil) != (c.err == "") || err != nil && !strings.HasPrefix(err.Error(), c.err) {
			t.Errorf("%s: %q, %v; want %q, %q", name, got, err, c.want, c.err)
		}
	}
}
