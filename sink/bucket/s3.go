package bucket

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/logging"

	"houndtrail/exporter/transport"
)

const (
	defaultPartSize    = 16 << 20 // bytes
	defaultMaxAttempts = 5        // of each request
	readAttempts       = 3        // of a body that breaks off, which the SDK does not retry
	// answerTimeout bounds the wait for an answer after the whole request was sent.
	answerTimeout = time.Minute
)

// S3Options says where the objects are and how they are kept. The zero value of each field is the default.
type S3Options struct {
	Bucket string
	Prefix string // of every key, without slashes around it

	Endpoint  string // of a store that is not AWS: https://host
	Region    string // default: of the AWS environment or profile; us-east-1 with an Endpoint
	PathStyle bool   // https://host/bucket instead of https://bucket.host

	SSE      string // AES256 or aws:kms; default: what the bucket does by itself
	KMSKeyID string // with aws:kms; default: the account's key for S3

	// ObjectLockMode (GOVERNANCE or COMPLIANCE) and ObjectLockDays keep every version from being deleted for so long.
	ObjectLockMode string
	ObjectLockDays int
	StorageClass   string // default: STANDARD
	// Rewritten names the keys that are working state, such as a lease: they get no retention, which would keep each
	// of their many versions, and no storage class. By default there are none.
	Rewritten func(key string) bool

	// AccessKey and SecretKey replace the AWS default chain (environment, profile, role of the pod or machine).
	AccessKey string
	SecretKey string

	PartSize    int           // bytes; bodies above it go in parts. Default 16 MiB, at least 5 MiB
	PageSize    int32         // keys per request of a list; default 1000
	MaxAttempts int           // of each request; default 5
	MaxBackoff  time.Duration // between two attempts; default 20s
}

// S3 is a [Bucket] in a bucket of S3, or of a store that answers conditional writes as S3 does.
//
// Every object carries a SHA-256 that the store has checked. The SDK retries what is temporary, with backoff.
type S3 struct {
	client *s3.Client
	opts   S3Options
}

// OpenS3 prepares a client. It sends nothing yet.
func OpenS3(ctx context.Context, opts S3Options) (*S3, error) {
	if err := opts.check(); err != nil {
		return nil, err
	}
	opts.PartSize = cmp.Or(opts.PartSize, defaultPartSize)
	load := []func(*config.LoadOptions) error{
		config.WithLogger(logging.Nop{}), // errors are returned; the SDK's own notes would only confuse
		config.WithRetryer(func() aws.Retryer { return newRetryer(opts) }),
		config.WithHTTPClient(awshttp.NewBuildableClient().WithTransportOptions(func(tr *http.Transport) {
			tr.ResponseHeaderTimeout = answerTimeout
			tr.OnProxyConnectResponse = transport.ProxyAnswer
		})),
	}
	if opts.Region != "" {
		load = append(load, config.WithRegion(opts.Region))
	}
	if opts.AccessKey != "" {
		load = append(load, config.WithCredentialsProvider(
			credentials.NewStaticCredentialsProvider(opts.AccessKey, opts.SecretKey, "")))
	}
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return nil, fmt.Errorf("read the AWS environment: %w", err)
	}
	if cfg.Region == "" && opts.Endpoint == "" {
		return nil, fmt.Errorf("no region is set for s3://%s: set HOUNDTRAIL_S3_REGION or AWS_REGION", opts.Bucket)
	}
	client := s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.UsePathStyle = opts.PathStyle
		o.DisableLogOutputChecksumValidationSkipped = true
		if opts.Endpoint != "" {
			o.BaseEndpoint = aws.String(opts.Endpoint)
			o.Region = cmp.Or(o.Region, "us-east-1")
		}
	})
	return &S3{client: client, opts: opts}, nil
}

// bucketName is what old buckets may be called; new ones have shorter, lower-case names.
var bucketName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$`)

// newRetryer adds to the SDK's rules the two answers by which S3 says that a conditional write ran into another one.
func newRetryer(opts S3Options) aws.Retryer {
	standard := retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = cmp.Or(opts.MaxAttempts, defaultMaxAttempts)
		o.MaxBackoff = cmp.Or(opts.MaxBackoff, o.MaxBackoff)
	})
	return retry.AddWithErrorCodes(standard, "ConditionalRequestConflict", "OperationAborted")
}

func (o S3Options) check() error {
	switch {
	case !bucketName.MatchString(o.Bucket):
		return fmt.Errorf("bucket name %q is not one: write s3://bucket/prefix", o.Bucket)
	case o.Prefix != "" && checkKey(o.Prefix) != nil:
		return fmt.Errorf("prefix of s3://%s: %w", o.Bucket, checkKey(o.Prefix))
	case o.SSE != "" && !slices.Contains(types.ServerSideEncryption("").Values(), types.ServerSideEncryption(o.SSE)):
		return fmt.Errorf("HOUNDTRAIL_S3_SSE is %q: set AES256 or aws:kms", o.SSE)
	case o.KMSKeyID != "" && !strings.HasPrefix(o.SSE, "aws:kms"):
		return errors.New("HOUNDTRAIL_S3_KMS_KEY_ID is set without encryption by it: set HOUNDTRAIL_S3_SSE=aws:kms")
	case o.ObjectLockMode != "" && !slices.Contains(types.ObjectLockMode("").Values(), types.ObjectLockMode(o.ObjectLockMode)):
		return fmt.Errorf("HOUNDTRAIL_S3_OBJECT_LOCK_MODE is %q: set GOVERNANCE or COMPLIANCE", o.ObjectLockMode)
	case (o.ObjectLockMode != "") != (o.ObjectLockDays > 0) || o.ObjectLockDays < 0:
		return errors.New("HOUNDTRAIL_S3_OBJECT_LOCK_MODE and HOUNDTRAIL_S3_OBJECT_LOCK_DAYS (1 or more) need each other")
	case o.StorageClass == "GLACIER" || o.StorageClass == "DEEP_ARCHIVE":
		return fmt.Errorf("HOUNDTRAIL_S3_STORAGE_CLASS is %s, whose objects cannot be read without a restore: "+
			"use GLACIER_IR, or move old objects with a lifecycle rule", o.StorageClass)
	case (o.AccessKey == "") != (o.SecretKey == ""):
		return errors.New("an access key and a secret key need each other")
	}
	return nil
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
