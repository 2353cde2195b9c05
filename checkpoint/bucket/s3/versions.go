package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
)

// unkept is the id of a version that was written while the bucket kept no versions.
const unkept = "null"

// Versions implements [bucket.Versioned].
func (s *Bucket) Versions(ctx context.Context, prefix string) iter.Seq2[bucket.Version, error] {
	return func(yield func(bucket.Version, error) bool) {
		if err := bucket.CheckPrefix(prefix); err != nil {
			yield(bucket.Version{}, err)
			return
		}
		in := &sdk.ListObjectVersionsInput{Bucket: &s.opts.Bucket, Prefix: s.key(prefix)}
		if s.opts.PageSize > 0 {
			in.MaxKeys = aws.Int32(s.opts.PageSize)
		}
		for pages := sdk.NewListObjectVersionsPaginator(s.client, in); pages.HasMorePages(); {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(bucket.Version{}, s.explainVersions(ctx, "list the versions of", "s3:ListBucketVersions", prefix, err))
				return
			}
			for v := range s.versions(page) {
				if !yield(v, nil) {
					return
				}
			}
		}
	}
}

// versions are the versions and markers of a page.
func (s *Bucket) versions(page *sdk.ListObjectVersionsOutput) iter.Seq[bucket.Version] {
	return func(yield func(bucket.Version) bool) {
		for _, v := range page.Versions {
			key, ok := s.ours(v.Key)
			if ok && !yield(bucket.Version{
				Key: key, ID: idOf(v.VersionId), Newest: aws.ToBool(v.IsLatest), Bytes: aws.ToInt64(v.Size), Written: aws.ToTime(v.LastModified),
			}) {
				return
			}
		}
		for _, m := range page.DeleteMarkers {
			key, ok := s.ours(m.Key)
			if ok && !yield(bucket.Version{
				Key: key, ID: idOf(m.VersionId), Newest: aws.ToBool(m.IsLatest), Marker: true, Written: aws.ToTime(m.LastModified),
			}) {
				return
			}
		}
	}
}

func idOf(id *string) string {
	if aws.ToString(id) == unkept {
		return ""
	}
	return aws.ToString(id)
}

// GetVersion implements [bucket.Versioned].
func (s *Bucket) GetVersion(ctx context.Context, key, id string) (body []byte, err error) {
	if err := bucket.CheckKey(key); err != nil {
		return nil, err
	}
	if id == "" {
		id = unkept
	}
	_, err = s.read(ctx, key, &id, func(r io.Reader) (err error) { body, err = io.ReadAll(r); return err })
	if err != nil {
		return nil, err
	}
	return body, nil
}

// explainVersions is explain for calls that only some stores have, and that only some callers may make.
func (s *Bucket) explainVersions(ctx context.Context, verb, action, key string, err error) error {
	explained := s.explain(ctx, verb, action, key, err)
	if ctx.Err() == nil && unversioned(err) {
		return fmt.Errorf("%w: %w", errors.ErrUnsupported, explained)
	}
	return explained
}
