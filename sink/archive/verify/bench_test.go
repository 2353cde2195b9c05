package verify_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/checkpoint/bucket/dir"
	"github.com/houndtrail/houndtrail/checkpoint/bucket/s3"
	"github.com/houndtrail/houndtrail/checkpoint/seal"
	"github.com/houndtrail/houndtrail/sink/archive/verify"
	"github.com/houndtrail/houndtrail/sink/sinktest/servers"
)

// BenchmarkVerify compares the default depth with the least number of requests that it needs. These are a LIST of everything, a GET
// of each entry, and a HEAD of each object, 64 of each kind at a time. The requests alone run before and after each verification,
// since a machine that is busy with other work changes from minute to minute. The ratio is the verification's time to their mean.
func BenchmarkVerify(b *testing.B) {
	const n = 5_000
	s := newSmall(b, archived)
	for i := range n {
		s.export(hours(i, i+1), nil, int64(2*i), int64(2*i+1))
	}
	p := copied(b, s)
	journal := checkpoint.Open(p.positions, checkpoint.Identity{Stream: archived})
	var verified, alone time.Duration
	for b.Loop() {
		before := requestsAlone(b, p, journal, n)
		start := time.Now()
		report, err := verify.Run(b.Context(), p.options(verify.Objects))
		if err != nil || !report.Sound() || report.Objects != n {
			b.Fatal(report.Result(), err)
		}
		verified += time.Since(start)
		alone += (before + requestsAlone(b, p, journal, n)) / 2
	}
	b.ReportMetric(float64(verified)/float64(alone), "verify/requests")
}

// copied copies an archive and its journal into a bucket.
func copied(b *testing.B, s *small) (p place) {
	b.Helper()
	server := servers.VersityGW(b)
	servers.CreateBucket(b, server, "lake", false)
	for prefix, to := range map[string]struct {
		to   *bucket.Bucket
		from bucket.Bucket
	}{"files": {&p.files, s.files}, "positions": {&p.positions, s.positions}} {
		store, err := s3.Open(b.Context(), s3.Options{
			Bucket: "lake", Prefix: prefix, Endpoint: server.Endpoint, Region: server.Region, PathStyle: true,
			AccessKey: server.AccessKey, SecretKey: server.SecretKey,
		})
		if err != nil {
			b.Fatal(err)
		}
		*to.to = store
		check(b, each(b.Context(), to.from, func(key string) error {
			body, _, _, err := to.from.Get(b.Context(), key)
			if err == nil {
				_, err = store.Put(b.Context(), key, body, "")
			}
			return err
		}))
	}
	return p
}

// requestsAlone is how long the requests take that a verification cannot do without.
func requestsAlone(b *testing.B, p place, journal *checkpoint.Journal, entries int) time.Duration {
	b.Helper()
	start := time.Now()
	var both, gets errgroup.Group
	both.Go(func() error {
		return each(b.Context(), p.files, func(key string) error { _, err := p.files.Stat(b.Context(), key); return err })
	})
	gets.SetLimit(64)
	for serial := range uint64(entries) {
		gets.Go(func() error {
			_, _, _, err := p.positions.Get(b.Context(), journal.Key(serial+1))
			return err
		})
	}
	check(b, errors.Join(both.Wait(), gets.Wait()))
	return time.Since(start)
}

// each calls do for every object of a store, 64 at a time.
func each(ctx context.Context, store bucket.Bucket, do func(key string) error) error {
	keys, err := store.List(ctx, "", "")
	if err != nil {
		return err
	}
	var all errgroup.Group
	all.SetLimit(64)
	for _, key := range keys {
		all.Go(func() error {
			if err := do(key); err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
			return nil
		})
	}
	return all.Wait()
}

// years is the number of entries in a journal of seven years, with one every five minutes.
const years = 735_840

// BenchmarkHeads measures the shallowest depth in a directory, over a journal of seven years with a hundred heads of all ages. It
// first makes the journal: that takes minutes and 3 GB.
func BenchmarkHeads(b *testing.B) {
	root := b.TempDir()
	store, err := dir.Open(root)
	check(b, err)
	heads := fabricate(b, root, years)
	for b.Loop() {
		o := place{positions: store}.options(verify.Heads)
		o.Heads = heads
		report, err := verify.Run(b.Context(), o)
		if err != nil || !report.Sound() || report.Heads != len(heads) || report.Streams[0].Newest != years || report.Counts[verify.Warning] > 0 {
			b.Fatal(report.Result(), err, report.Findings)
		}
	}
}

// fabricate makes a journal of so many entries without durable commits, which take longer. It returns some of its heads.
func fabricate(b *testing.B, root string, entries uint64) (heads []verify.Remembered) {
	b.Helper()
	s := newSmall(b, archived)
	s.export(hours(0, 1), nil)
	c, tree := s.last.Checkpoint, new(seal.Frontier)
	put := func(key string, body []byte) {
		path := filepath.Join(root, key)
		err := os.WriteFile(path, body, 0o600)
		if errors.Is(err, fs.ErrNotExist) {
			check(b, os.MkdirAll(filepath.Dir(path), 0o700))
			err = os.WriteFile(path, body, 0o600)
		}
		check(b, err)
	}
	var leaves []seal.Hash
	var head string
	for c.Serial = 1; ; c.Serial++ {
		sealed, err := seal.NewSeal(c.Seal.Origin, tree, head)
		check(b, err)
		c.Seal = &sealed
		line, err := json.Marshal(c)
		check(b, err)
		line = append(line, '\n')
		put(s.journal.Key(c.Serial), line)
		leaves = append(leaves, seal.Leaf(line))
		tree.Append(leaves[len(leaves)-1])
		for _, t := range seal.Completed(c.Serial) {
			content, err := t.Content(seal.FromLeaves(leaves))
			check(b, err)
			put(archived+"/"+t.Path(), content)
		}
		h := seal.Head{Origin: c.Seal.Origin, Size: tree.Size(), Root: tree.Root(), Cursor: c.Cursor}
		head = h.Text()
		if c.Serial%(entries/100) == 7 {
			heads = append(heads, headOf(b, "kept", head))
		}
		if c.PreviousSHA256 = hexSum(line); c.Serial == entries {
			break
		}
		next := hours(int(c.Serial), int(c.Serial)+1)
		c.Window, c.Cursor = next, next.End
	}
	hint, err := json.Marshal(checkpoint.Hint{Serial: entries, SHA256: c.PreviousSHA256, Head: head})
	check(b, err)
	put(archived+"/state/latest", hint)
	return heads
}
