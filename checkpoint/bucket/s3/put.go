package s3

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
)

// abortTimeout limits the clean-up after a failed upload in parts.
const abortTimeout = 10 * time.Second

// Put implements [bucket.Bucket] with If-None-Match: * or If-Match.
func (s *Bucket) Put(ctx context.Context, key string, body []byte, version string) (string, error) {
	if err := bucket.CheckKey(key); err != nil {
		return "", err
	}
	write := s.putWhole
	if len(body) > s.opts.PartSize {
		write = s.putParts
	}
	verb, p := "create", &put{key: key, body: body}
	if version == "" {
		p.ifNoneMatch = aws.String("*")
	} else {
		verb, p.ifMatch = "replace", &version
	}
	etag, err := write(ctx, p)
	if err == nil {
		return etag, nil
	}
	if p.mayHaveWorked(err) {
		// The store may have our object although its answer was lost: then the retry met our own write. So the object that the
		// store has now decides. If it cannot be read, Put returns the first error.
		if stored, etag, _, getErr := s.Get(ctx, key); getErr == nil && bytes.Equal(stored, body) {
			return etag, nil
		}
	}
	return "", s.explain(ctx, verb, "s3:PutObject", key, err)
}

// put is one call of Put.
type put struct {
	key                  string
	body                 []byte
	ifNoneMatch, ifMatch *string
	// attempts counts how often the client sent the request that makes the object visible.
	attempts int
}

// mayHaveWorked tells whether a failed write may still have stored the object. If the store refused the only attempt (4xx), it has
// not stored the object. If no request was sent, it has not stored it either.
func (p *put) mayHaveWorked(err error) bool {
	answer, answered := errors.AsType[*smithyhttp.ResponseError](err)
	refused := answered && answer.HTTPStatusCode()/100 == 4
	return p.attempts > 1 || p.attempts == 1 && !refused
}

// count counts attempts, in a step inside the SDK's retries.
func (p *put) count(o *sdk.Options) {
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("houndtrail:CountAttempts",
			func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
				middleware.FinalizeOutput, middleware.Metadata, error,
			) {
				p.attempts++
				return next.HandleFinalize(ctx, in)
			}), "Retry", middleware.After)
	})
}

func (s *Bucket) putWhole(ctx context.Context, p *put) (string, error) {
	in := &sdk.PutObjectInput{
		Bucket: &s.opts.Bucket, Key: s.key(p.key), IfNoneMatch: p.ifNoneMatch, IfMatch: p.ifMatch,
		Body: bytes.NewReader(p.body), ChecksumAlgorithm: types.ChecksumAlgorithmSha256, ChecksumSHA256: checksum(p.body),
		ServerSideEncryption: types.ServerSideEncryption(s.opts.SSE), SSEKMSKeyId: s.kmsKey(),
	}
	in.StorageClass, in.ObjectLockMode, in.ObjectLockRetainUntilDate = s.keeping(p.key)
	out, err := s.client.PutObject(ctx, in, p.count)
	if err != nil {
		return "", err
	}
	return aws.ToString(out.ETag), nil
}

// putParts uploads a large body in parts. The upload is not visible before the last request. That request has the condition.
func (s *Bucket) putParts(ctx context.Context, p *put) (string, error) {
	in := &sdk.CreateMultipartUploadInput{
		Bucket: &s.opts.Bucket, Key: s.key(p.key), ChecksumAlgorithm: types.ChecksumAlgorithmSha256,
		ServerSideEncryption: types.ServerSideEncryption(s.opts.SSE), SSEKMSKeyId: s.kmsKey(),
	}
	in.StorageClass, in.ObjectLockMode, in.ObjectLockRetainUntilDate = s.keeping(p.key)
	upload, err := s.client.CreateMultipartUpload(ctx, in)
	if err != nil {
		return "", err
	}
	etag, err := s.completeParts(ctx, p, upload.UploadId)
	if err != nil {
		// Parts cost money until they are aborted. If the abort fails too, a lifecycle rule of the bucket has to remove them.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
		defer cancel()
		_, _ = s.client.AbortMultipartUpload(ctx, &sdk.AbortMultipartUploadInput{
			Bucket: &s.opts.Bucket, Key: s.key(p.key), UploadId: upload.UploadId,
		})
	}
	return etag, err
}

func (s *Bucket) completeParts(ctx context.Context, p *put, id *string) (string, error) {
	var parts []types.CompletedPart
	number := int32(0)
	for part := range slices.Chunk(p.body, s.opts.PartSize) {
		number++
		out, err := s.client.UploadPart(ctx, &sdk.UploadPartInput{
			Bucket: &s.opts.Bucket, Key: s.key(p.key), UploadId: id, PartNumber: aws.Int32(number),
			Body: bytes.NewReader(part), ChecksumAlgorithm: types.ChecksumAlgorithmSha256, ChecksumSHA256: checksum(part),
		})
		if err != nil {
			return "", fmt.Errorf("part %d: %w", number, err)
		}
		parts = append(parts, types.CompletedPart{
			PartNumber: aws.Int32(number), ETag: out.ETag, ChecksumSHA256: checksum(part),
		})
	}
	out, err := s.client.CompleteMultipartUpload(ctx, &sdk.CompleteMultipartUploadInput{
		Bucket: &s.opts.Bucket, Key: s.key(p.key), UploadId: id, IfNoneMatch: p.ifNoneMatch, IfMatch: p.ifMatch,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	}, p.count)
	if err != nil {
		return "", err
	}
	return aws.ToString(out.ETag), nil
}

// keeping returns the storage class and the retention of an object. Working state has neither.
func (s *Bucket) keeping(key string) (types.StorageClass, types.ObjectLockMode, *time.Time) {
	if s.opts.Rewritten != nil && s.opts.Rewritten(key) {
		return "", "", nil
	}
	class := types.StorageClass(s.opts.StorageClass)
	if s.opts.ObjectLockMode == "" {
		return class, "", nil
	}
	until := time.Now().AddDate(0, 0, s.opts.ObjectLockDays)
	return class, types.ObjectLockMode(s.opts.ObjectLockMode), &until
}

func (s *Bucket) kmsKey() *string {
	if s.opts.KMSKeyID == "" {
		return nil
	}
	return &s.opts.KMSKeyID
}

func checksum(body []byte) *string {
	sum := sha256.Sum256(body)
	return aws.String(base64.StdEncoding.EncodeToString(sum[:]))
}
