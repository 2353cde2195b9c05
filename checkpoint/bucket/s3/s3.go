// Package s3 is a store in a bucket of S3, or of a store that speaks its protocol.
package s3

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
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
)

// readAttempts is the number of times that Get tries to read a body that breaks off or stands still. The SDK does not retry that.
const readAttempts = 3

// Bucket is a [bucket.Bucket] in a bucket of S3, or of a store that answers conditional writes in the same way.
//
// Every object has a SHA-256 that the store has checked. The SDK retries after temporary failures, with backoff.
type Bucket struct {
	client *sdk.Client
	config aws.Config // of the client, and of the services that give it credentials
	login  login
	opts   Options
}

// Open prepares a client. It sends nothing yet. The error names all problems of the options together.
func Open(ctx context.Context, opts Options) (*Bucket, error) {
	opts = opts.withDefaults()
	client, cfg, err := connect(ctx, opts)
	if err := errors.Join(opts.check(), err); err != nil {
		return nil, err
	}
	return &Bucket{client, cfg, loginOf(cfg), opts}, nil
}

// String implements [bucket.Bucket].
func (s *Bucket) String() string { return strings.TrimSuffix(s.url(""), "/") }

// Get implements [bucket.Bucket]. The version is the ETag. The age is the difference of two headers of one answer, Date and
// Last-Modified. So this machine's clock has no part in it. Both headers count whole seconds.
func (s *Bucket) Get(ctx context.Context, key string) ([]byte, string, time.Duration, error) {
	if err := bucket.CheckKey(key); err != nil {
		return nil, "", 0, err
	}
	var body []byte
	out, err := s.read(ctx, key, nil, func(r io.Reader) (err error) { body, err = io.ReadAll(r); return err })
	if err != nil {
		return nil, "", 0, err
	}
	now, ok := awsmiddleware.GetServerTime(out.ResultMetadata)
	if !ok || out.LastModified == nil || aws.ToString(out.ETag) == "" {
		return nil, "", 0, fmt.Errorf("read %s: the answer lacks Date, Last-Modified or ETag: "+
			"something between here and the store removes headers", s.url(key))
	}
	return body, *out.ETag, max(0, now.Sub(*out.LastModified)), nil
}

// read lets take read the body, from its beginning at each attempt. version is nil for the newest version.
func (s *Bucket) read(ctx context.Context, key string, version *string, take func(io.Reader) error) (out *sdk.GetObjectOutput, err error) {
	for range readAttempts {
		out, err = s.client.GetObject(ctx, &sdk.GetObjectInput{Bucket: &s.opts.Bucket, Key: s.key(key), VersionId: version})
		if err != nil {
			break
		}
		err = take(out.Body) // the SDK compares it with the checksum
		_ = out.Body.Close()
		if err == nil || ctx.Err() != nil {
			break
		}
		s.opts.Log.Warn("the body of an object was not read to its end", zap.String("object", s.url(key)), zap.Error(err))
	}
	switch {
	case err == nil:
		return out, nil
	case ctx.Err() == nil && isChecksum(err):
		return nil, fmt.Errorf("read %s: %w", s.url(key), bucket.ErrDamaged)
	case version != nil:
		return nil, s.explainVersions(ctx, "read an earlier version of", "s3:GetObjectVersion", key, err)
	}
	return nil, s.explain(ctx, "read", "s3:GetObject", key, err)
}

// List implements [bucket.Bucket].
func (s *Bucket) List(ctx context.Context, prefix, after string) ([]string, error) {
	var keys []string
	for info, err := range s.walk(ctx, prefix, after) {
		if err != nil {
			return nil, err
		}
		keys = append(keys, info.Key)
	}
	slices.Sort(keys) // S3 sorts them, but some other stores do not
	return keys, nil
}

// Folders implements [bucket.Bucket].
func (s *Bucket) Folders(ctx context.Context, folder string) (names []string, err error) {
	if err := bucket.CheckFolder(folder); err != nil {
		return nil, err
	}
	in := &sdk.ListObjectsV2Input{Bucket: &s.opts.Bucket, Prefix: s.key(folder), Delimiter: aws.String("/")}
	if s.opts.PageSize > 0 {
		in.MaxKeys = aws.Int32(s.opts.PageSize)
	}
	for pages := sdk.NewListObjectsV2Paginator(s.client, in); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, s.explain(ctx, "list", "s3:ListBucket", folder, err)
		}
		for _, common := range page.CommonPrefixes {
			key, ok := s.ours(aws.String(strings.TrimSuffix(aws.ToString(common.Prefix), "/")))
			if ok {
				names = append(names, strings.TrimPrefix(key, folder))
			}
		}
	}
	slices.Sort(names)
	return names, nil
}

// Lock implements [bucket.Bucket]: S3 has no lock that dies with its holder.
func (s *Bucket) Lock(_ context.Context, key string) (func() error, bool, error) {
	return func() error { return nil }, false, bucket.CheckKey(key)
}

// key is the full name of a key, or of a prefix.
func (s *Bucket) key(key string) *string {
	if s.opts.Prefix != "" {
		key = s.opts.Prefix + "/" + key
	}
	return &key
}

// url names a key for people.
func (s *Bucket) url(key string) string {
	return (&url.URL{Scheme: "s3", Host: s.opts.Bucket, Path: "/" + *s.key(key)}).String()
}
