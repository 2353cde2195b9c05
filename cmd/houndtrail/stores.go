package main

import (
	"context"
	"fmt"

	"houndtrail/checkpoint"
	"houndtrail/config"
	"houndtrail/sink/bucket"
)

// openArchive opens the place of the archive's files.
func openArchive(ctx context.Context, c *config.Config) (bucket.Bucket, error) {
	return openStore(ctx, "HOUNDTRAIL_ARCHIVE_URL", c.Archive.URL, c.Archive.URL, s3Options(c.S3, nil))
}

// openPositions opens the place of the journals. If that is not set it lies in the archive, whose variable is to be mended then.
func openPositions(ctx context.Context, c *config.Config) (bucket.Bucket, error) {
	name, value := "HOUNDTRAIL_CHECKPOINT_URL", c.Checkpoint.URL
	if c.Archive.URL != "" && value == c.Archive.URL.Join("checkpoints") {
		name, value = "HOUNDTRAIL_ARCHIVE_URL", c.Archive.URL
	}
	return openStore(ctx, name, value, c.Checkpoint.URL, s3Options(c.S3, checkpoint.Rewritten))
}

// openStore names the variable that a place comes from where it cannot be opened.
func openStore(ctx context.Context, name string, value, place config.StoreURL, o bucket.S3Options) (bucket.Bucket, error) {
	b, err := bucket.Open(ctx, string(place), o)
	if err != nil {
		return nil, &usageError{fmt.Errorf("%s=%s: %w", name, value, err)}
	}
	return b, nil
}

func s3Options(s config.S3, rewritten func(string) bool) bucket.S3Options {
	return bucket.S3Options{
		Endpoint: string(s.Endpoint), Region: s.Region, PathStyle: s.PathStyle,
		SSE: string(s.SSE), KMSKeyID: s.KMSKeyID,
		ObjectLockMode: string(s.ObjectLockMode), ObjectLockDays: s.ObjectLockDays,
		StorageClass: string(s.StorageClass), Rewritten: rewritten,
	}
}
