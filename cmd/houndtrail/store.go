package main

import (
	"context"
	"fmt"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/checkpoint/bucket/open"
	"github.com/houndtrail/houndtrail/checkpoint/bucket/s3"
	"github.com/houndtrail/houndtrail/config"
)

// positions opens the place of the journals. If that is not set it lies in the archive, whose variable is to be mended then.
func (p *program) positions(ctx context.Context, c *config.Config, log *zap.Logger) (bucket.Bucket, error) {
	name, value := "HOUNDTRAIL_CHECKPOINT_URL", c.Checkpoint.URL
	if c.Archive.URL != "" && value == c.Archive.URL.Join("checkpoints") {
		name, value = "HOUNDTRAIL_ARCHIVE_URL", c.Archive.URL
	}
	b, err := p.open(ctx, c, c.Checkpoint.URL, log, checkpoint.Rewritten)
	return b, misplaced(name, value, err)
}

// files opens the place of the archive.
func (p *program) files(ctx context.Context, c *config.Config, log *zap.Logger) (bucket.Bucket, error) {
	b, err := p.open(ctx, c, c.Archive.URL, log, nil)
	return b, misplaced("HOUNDTRAIL_ARCHIVE_URL", c.Archive.URL, err)
}

// misplaced names the variable that a place comes from which cannot be opened.
func misplaced(name string, value config.StoreURL, err error) error {
	if err == nil {
		return nil
	}
	return &usageError{fmt.Errorf("%s=%s: %w", name, value, err)}
}

func (p *program) open(
	ctx context.Context, c *config.Config, url config.StoreURL, log *zap.Logger, rewritten func(key string) bool,
) (bucket.Bucket, error) {
	s := c.S3
	return open.Open(ctx, string(url), open.Options{
		Options: bucket.Options{Rewritten: rewritten, Idle: p.idle, Interactive: p.interactive, Log: log},
		S3: s3.Options{
			Endpoint: string(s.Endpoint), Region: s.Region, PathStyle: s.PathStyle,
			SSE: string(s.SSE), KMSKeyID: s.KMSKeyID,
			ObjectLockMode: string(s.ObjectLockMode), ObjectLockDays: s.ObjectLockDays,
			StorageClass: string(s.StorageClass),
		},
	})
}

// asked is the program for what a person waits for.
func (p *program) asked() *program {
	hasty := *p
	hasty.interactive = true
	return &hasty
}
