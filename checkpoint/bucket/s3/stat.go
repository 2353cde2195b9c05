package s3

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"iter"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
)

// Stat implements [bucket.Bucket] with HEAD.
func (s *Bucket) Stat(ctx context.Context, key string) (bucket.Info, error) {
	if err := bucket.CheckKey(key); err != nil {
		return bucket.Info{}, err
	}
	out, err := s.client.HeadObject(ctx, &sdk.HeadObjectInput{
		Bucket: &s.opts.Bucket, Key: s.key(key), ChecksumMode: types.ChecksumModeEnabled,
	})
	if err != nil {
		return bucket.Info{}, s.explain(ctx, "read", "s3:GetObject", key, s.said(ctx, key, err))
	}
	return bucket.Info{
		Key: key, Bytes: aws.ToInt64(out.ContentLength), SHA256: whole(out.ChecksumSHA256, out.ChecksumType),
		Version: aws.ToString(out.VersionId) != "",
		Lock: bucket.Lock{
			Mode: string(out.ObjectLockMode), Until: aws.ToTime(out.ObjectLockRetainUntilDate),
			Hold: out.ObjectLockLegalHoldStatus == types.ObjectLockLegalHoldStatusOn,
		},
	}, nil
}

// said asks the store again after a failed HEAD. The answer to a HEAD has no body, so it cannot tell whether the object or the
// bucket is missing.
func (s *Bucket) said(ctx context.Context, key string, err error) error {
	if answer, ok := errors.AsType[*awshttp.ResponseError](err); !ok || answer.HTTPStatusCode()/100 != 4 {
		return err
	}
	out, getErr := s.client.GetObject(ctx, &sdk.GetObjectInput{
		Bucket: &s.opts.Bucket, Key: s.key(key), Range: aws.String("bytes=0-0"),
	})
	if getErr == nil { // the object has appeared meanwhile, or the store refuses only HEAD
		_ = out.Body.Close()
		return err
	}
	return getErr
}

// whole is the SHA-256 of a whole object in hex. It is "" for an upload in parts: such an object has only a sum over the sums of
// its parts.
func whole(sum *string, kind types.ChecksumType) string {
	raw, err := base64.StdEncoding.DecodeString(aws.ToString(sum))
	if err != nil || len(raw) != sha256.Size || kind == types.ChecksumTypeComposite {
		return ""
	}
	return hex.EncodeToString(raw)
}

// Hash implements [bucket.Bucket].
func (s *Bucket) Hash(ctx context.Context, key string) (bucket.Info, error) {
	if err := bucket.CheckKey(key); err != nil {
		return bucket.Info{}, err
	}
	found := bucket.Info{Key: key}
	_, err := s.read(ctx, key, nil, func(r io.Reader) (err error) {
		sum := sha256.New()
		found.Bytes, err = io.Copy(sum, r)
		found.SHA256 = hex.EncodeToString(sum.Sum(nil))
		return err
	})
	if err != nil {
		return bucket.Info{}, err
	}
	return found, nil
}

// Walk implements [bucket.Bucket].
func (s *Bucket) Walk(ctx context.Context, prefix string) iter.Seq2[bucket.Info, error] {
	return s.walk(ctx, prefix, "")
}

// walk is a Walk that begins after a key.
func (s *Bucket) walk(ctx context.Context, prefix, after string) iter.Seq2[bucket.Info, error] {
	return func(yield func(bucket.Info, error) bool) {
		if err := bucket.CheckPrefix(prefix); err != nil {
			yield(bucket.Info{}, err)
			return
		}
		in := &sdk.ListObjectsV2Input{Bucket: &s.opts.Bucket, Prefix: s.key(prefix)}
		if after != "" {
			in.StartAfter = s.key(after)
		}
		if s.opts.PageSize > 0 {
			in.MaxKeys = aws.Int32(s.opts.PageSize)
		}
		for pages := sdk.NewListObjectsV2Paginator(s.client, in); pages.HasMorePages(); {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(bucket.Info{}, s.explain(ctx, "list", "s3:ListBucket", prefix, err))
				return
			}
			for _, object := range page.Contents {
				key, ok := s.ours(object.Key)
				if ok && !yield(bucket.Info{Key: key, Bytes: aws.ToInt64(object.Size)}, nil) {
					return
				}
			}
		}
	}
}

// ours returns the key of an object of this store. If the object does not belong to the store, ok is false: for example, a
// console's folder marker.
func (s *Bucket) ours(name *string) (key string, ok bool) {
	key = strings.TrimPrefix(aws.ToString(name), *s.key(""))
	return key, bucket.CheckKey(key) == nil
}

// isChecksum tells whether the SDK found that a body does not fit its checksum. Then the status is http.StatusOK, and still there
// is an error.
func isChecksum(err error) bool { return strings.Contains(err.Error(), "checksum did not match") }

// unversioned tells whether an answer says that the store has no versions, or does not show them to the caller.
func unversioned(err error) bool {
	answer, ok := errors.AsType[*awshttp.ResponseError](err)
	return ok && (answer.HTTPStatusCode() == http.StatusForbidden && apiCode(err) == "AccessDenied" ||
		answer.HTTPStatusCode() == http.StatusNotImplemented || answer.HTTPStatusCode() == http.StatusMethodNotAllowed)
}
