package verify_test

import (
	"fmt"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/checkpoint/bucket/s3"
	"github.com/houndtrail/houndtrail/sink/archive/verify"
	"github.com/houndtrail/houndtrail/sink/sinktest/servers"
)

// BenchmarkVerify compares the default depth with the requests that it cannot do without: a LIST of everything, a GET of each
// entry, and a HEAD of each object, 64 at a time.
func BenchmarkVerify(b *testing.B) {
	const n = 3000
	s := newSmall(b, archived)
	for i := range n {
		s.export(hours(i, i+1), nil, int64(2*i), int64(2*i+1))
	}
	server := servers.VersityGW(b)
	servers.CreateBucket(b, server, "lake", false)
	var p place
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
		each(b, to.from, func(key string) error {
			body, _, _, err := to.from.Get(b.Context(), key)
			if err == nil {
				_, err = store.Put(b.Context(), key, body, "")
			}
			return err
		})
	}
	b.Run("verify", func(b *testing.B) {
		for b.Loop() {
			report, err := verify.Run(b.Context(), p.options(verify.Objects))
			if err != nil || !report.Sound() || report.Objects != n {
				b.Fatal(report.Result(), err)
			}
		}
	})
	b.Run("requests alone", func(b *testing.B) {
		journal := checkpoint.Open(p.positions, checkpoint.Identity{Stream: archived})
		for b.Loop() {
			each(b, p.files, func(key string) error { _, err := p.files.Stat(b.Context(), key); return err })
			var all errgroup.Group
			all.SetLimit(64)
			for serial := range uint64(n) {
				all.Go(func() error {
					_, _, _, err := p.positions.Get(b.Context(), journal.Key(serial+1))
					return err
				})
			}
			if err := all.Wait(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("LIST and HEAD alone", func(b *testing.B) {
		for b.Loop() {
			each(b, p.files, func(key string) error { _, err := p.files.Stat(b.Context(), key); return err })
		}
	})
}

// each calls do for every object of a store, 64 at a time.
func each(b *testing.B, store bucket.Bucket, do func(key string) error) {
	b.Helper()
	keys, err := store.List(b.Context(), "", "")
	if err != nil {
		b.Fatal(err)
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
	if err := all.Wait(); err != nil {
		b.Fatal(err)
	}
}
