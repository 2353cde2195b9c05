package main

import (
	"context"

	"go.uber.org/zap"

	"houndtrail/checkpoint"
	"houndtrail/config"
	"houndtrail/sink/bucket"
)

// positions opens the place of the journals.
func (p *program) positions(ctx context.Context, c *config.Config, log *zap.Logger) (bucket.Bucket, error) {
	return p.open(ctx, c, c.Checkpoint.URL, log, checkpoint.Rewritten)
}

// files opens the place of the archive.
func (p *program) files(ctx context.Context, c *config.Config, log *zap.Logger) (bucket.Bucket, error) {
	return p.open(ctx, c, c.Archive.URL, log, nil)
}

func (p *program) open(
	ctx context.Context, c *config.Config, url config.StoreURL, log *zap.Logger, rewritten func(key string) bool,
) (bucket.Bucket, error) {
	s := c.S3
	return bucket.Open(ctx, string(url), bucket.S3Options{
		Endpoint: string(s.Endpoint), Region: s.Region, PathStyle: s.PathStyle,
		SSE: string(s.SSE), KMSKeyID: s.KMSKeyID,
		ObjectLockMode: string(s.ObjectLockMode), ObjectLockDays: s.ObjectLockDays,
		StorageClass: string(s.StorageClass), Rewritten: rewritten,
		Idle: p.idle, Interactive: p.interactive, Log: log,
	})
}

// asked is the program for what a person waits for.
func (p *program) asked() *program {
	hasty := *p
	hasty.interactive = true
	return &hasty
}
