package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"go.uber.org/zap"
)

// readAttempts is how often a body is read that breaks off or stands still, which the SDK does not retry.
const readAttempts = 3

// S3 is a [Bucket] in a bucket of S3, or of a store that answers conditional writes as S3 does.
//
// Every object carries a SHA-256 that the store has checked. The SDK retries what is temporary, with backoff.
type S3 struct {
	client *s3.Client
	login  login
	opts   S3Options
}

// OpenS3 prepares a client. It sends nothing yet. What is wrong with the options is told all at once.
func OpenS3(ctx context.Context, opts S3Options) (*S3, error) {
	opts = opts.withDefaults()
	client, login, err := connect(ctx, opts)
	if err := errors.Join(opts.check(), err); err != nil {
		return nil, err
	}
	return &S3{client, login, opts}, nil
}

// String implements [Bucket].
func (s *S3) String() string { return strings.TrimSuffix(s.url(""), "/") }

// Get implements [Bucket]. The version is the ETag. The age is the difference of two headers of one answer, Date and
// Last-Modified, so this machine's clock has no part in it; both count in whole seconds.
func (s *S3) Get(ctx context.Context, key string) ([]byte, string, time.Duration, error) {
	if err := checkKey(key); err != nil {
		return nil, "", 0, err
	}
	var (
		out  *s3.GetObjectOutput
		body []byte
		err  error
	)
	for range readAttempts {
		if out, err = s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.opts.Bucket, Key: s.key(key)}); err != nil {
			break
		}
		body, err = io.ReadAll(out.Body) // the SDK compares it with the checksum
		_ = out.Body.Close()
		if err == nil || ctx.Err() != nil {
			break
		}
		s.opts.Log.Warn("the body of an object was not read to its end", zap.String("object", s.url(key)), zap.Error(err))
	}
	if err != nil {
		return nil, "", 0, s.explain(ctx, "read", "s3:GetObject", key, err)
	}
	now, ok := awsmiddleware.GetServerTime(out.ResultMetadata)
	if !ok || out.LastModified == nil || aws.ToString(out.ETag) == "" {
		return nil, "", 0, fmt.Errorf("read %s: the answer lacks Date, Last-Modified or ETag: "+
			"something between here and the store removes headers", s.url(key))
	}
	return body, *out.ETag, max(0, now.Sub(*out.LastModified)), nil
}

// List implements [Bucket].
func (s *S3) List(ctx context.Context, prefix, after string) ([]string, error) {
	if err := checkPrefix(prefix); err != nil {
		return nil, err
	}
	in := &s3.ListObjectsV2Input{Bucket: &s.opts.Bucket, Prefix: s.key(prefix)}
	if after != "" {
		in.StartAfter = s.key(after)
	}
	if s.opts.PageSize > 0 {
		in.MaxKeys = aws.Int32(s.opts.PageSize)
	}
	var keys []string
	for pages := s3.NewListObjectsV2Paginator(s.client, in); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, s.explain(ctx, "list", "s3:ListBucket", prefix, err)
		}
		for _, object := range page.Contents {
			key := strings.TrimPrefix(aws.ToString(object.Key), *s.key(""))
			if checkKey(key) == nil { // else not ours: a folder marker of some console, say
				keys = append(keys, key)
			}
		}
	}
	slices.Sort(keys) // S3 sorts by itself; not every store does
	return keys, nil
}

// Lock implements [Bucket]: S3 has no lock that dies with its holder.
func (s *S3) Lock(_ context.Context, key string) (func() error, bool, error) {
	return func() error { return nil }, false, checkKey(key)
}

// key is the full name of a key, or of a prefix.
func (s *S3) key(key string) *string {
	if s.opts.Prefix != "" {
		key = s.opts.Prefix + "/" + key
	}
	return &key
}

// url names a key for people.
func (s *S3) url(key string) string {
	return (&url.URL{Scheme: "s3", Host: s.opts.Bucket, Path: "/" + *s.key(key)}).String()
}
