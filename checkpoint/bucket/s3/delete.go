package s3

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
)

// mostDeletes is the number of keys that S3 accepts in one request.
const mostDeletes = 1000

// Delete implements [bucket.Bucket]. It names no versions: in a bucket with versions or Object Lock, S3 adds a delete marker
// and keeps every version.
func (s *Bucket) Delete(ctx context.Context, keys ...string) error {
	for _, key := range keys {
		if err := bucket.CheckKey(key); err != nil {
			return err
		}
	}
	for some := range slices.Chunk(keys, mostDeletes) {
		objects := make([]types.ObjectIdentifier, len(some))
		for i, key := range some {
			objects[i].Key = s.key(key)
		}
		out, err := s.client.DeleteObjects(ctx, &sdk.DeleteObjectsInput{
			Bucket: &s.opts.Bucket, ChecksumAlgorithm: types.ChecksumAlgorithmSha256,
			Delete: &types.Delete{Objects: objects, Quiet: aws.Bool(true)},
		})
		if err != nil {
			return s.explain(ctx, "delete", "s3:DeleteObject", some[0], err)
		}
		if err := s.undeleted(ctx, out.Errors); err != nil {
			return err
		}
	}
	return nil
}

// undeleted returns the error about the keys that S3 refused to delete. The answer as a whole is a success. S3 reports each of
// these keys alone, mostly for the same reason. So the first report stands for all of them.
func (s *Bucket) undeleted(ctx context.Context, refused []types.Error) error {
	refused = slices.DeleteFunc(refused, func(e types.Error) bool { return aws.ToString(e.Code) == "NoSuchKey" })
	if len(refused) == 0 {
		return nil
	}
	first := refused[0]
	key := strings.TrimPrefix(aws.ToString(first.Key), *s.key(""))
	err := s.explain(ctx, "delete", "s3:DeleteObject", key,
		&smithy.GenericAPIError{Code: aws.ToString(first.Code), Message: aws.ToString(first.Message)})
	if len(refused) == 1 {
		return err
	}
	return fmt.Errorf("%w (and so for %d more objects)", err, len(refused)-1)
}
