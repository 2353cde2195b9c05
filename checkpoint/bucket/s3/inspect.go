package s3

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// An Inspector tells how S3 keeps the objects of a bucket, for a person who sets one up. Each call makes one or two requests, and
// changes nothing. If the role may not see the answer, the error is fs.ErrPermission: a writer needs no right for it. If the store
// does not know the request, the error is errors.ErrUnsupported.
type Inspector interface {
	// Region is the region of the bucket; "" if the store tells none. This call needs s3:ListBucket.
	Region(ctx context.Context) (string, error)
	// Versioning tells whether the bucket keeps earlier versions. This call needs s3:GetBucketVersioning.
	Versioning(ctx context.Context) (bool, error)
	// ObjectLock tells whether the bucket has Object Lock, and its default retention. This call needs
	// s3:GetBucketObjectLockConfiguration.
	ObjectLock(ctx context.Context) (ObjectLock, error)
	// Encryption is the kind of an object's encryption, such as AES256 or aws:kms; "" if the store does not tell. This call needs
	// s3:GetObject.
	Encryption(ctx context.Context, key string) (string, error)
	// Identity is the ARN of the role or user whose credentials the store gets. AWS answers this call without any right.
	Identity(ctx context.Context) (string, error)
}

// ObjectLock is the Object Lock of a bucket.
type ObjectLock struct {
	Enabled bool
	Mode    string // of the default retention; "" if there is none
	Days    int    // the length of the default retention; a year counts as 365
}

// Region implements [Inspector].
func (s *Bucket) Region(ctx context.Context) (string, error) {
	out, err := s.client.HeadBucket(ctx, &sdk.HeadBucketInput{Bucket: &s.opts.Bucket})
	if err != nil {
		return "", s.explainAbout(ctx, "look at", "s3:ListBucket", err)
	}
	return aws.ToString(out.BucketRegion), nil
}

// Versioning implements [Inspector].
func (s *Bucket) Versioning(ctx context.Context) (bool, error) {
	out, err := s.client.GetBucketVersioning(ctx, &sdk.GetBucketVersioningInput{Bucket: &s.opts.Bucket})
	if err != nil {
		return false, s.explainAbout(ctx, "look whether versions are kept in", "s3:GetBucketVersioning", err)
	}
	return out.Status == types.BucketVersioningStatusEnabled, nil
}

// ObjectLock implements [Inspector].
func (s *Bucket) ObjectLock(ctx context.Context) (l ObjectLock, err error) {
	out, err := s.client.GetObjectLockConfiguration(ctx, &sdk.GetObjectLockConfigurationInput{Bucket: &s.opts.Bucket})
	if apiCode(err) == "ObjectLockConfigurationNotFoundError" {
		return l, nil
	}
	if err != nil {
		return l, s.explainAbout(ctx, "look at the Object Lock of", "s3:GetBucketObjectLockConfiguration", err)
	}
	if out.ObjectLockConfiguration == nil {
		return l, nil
	}
	l.Enabled = out.ObjectLockConfiguration.ObjectLockEnabled == types.ObjectLockEnabledEnabled
	if rule := out.ObjectLockConfiguration.Rule; rule != nil && rule.DefaultRetention != nil {
		l.Mode = string(rule.DefaultRetention.Mode)
		l.Days = int(aws.ToInt32(rule.DefaultRetention.Days)) + 365*int(aws.ToInt32(rule.DefaultRetention.Years))
	}
	return l, nil
}

// Encryption implements [Inspector].
func (s *Bucket) Encryption(ctx context.Context, key string) (string, error) {
	out, err := s.client.HeadObject(ctx, &sdk.HeadObjectInput{Bucket: &s.opts.Bucket, Key: s.key(key)})
	if err != nil {
		return "", s.explain(ctx, "read", "s3:GetObject", key, s.said(ctx, key, err))
	}
	return strings.TrimSpace(string(out.ServerSideEncryption) + " " + aws.ToString(out.SSEKMSKeyId)), nil
}

// Identity implements [Inspector]. Only AWS has STS. For another store, the error is errors.ErrUnsupported.
func (s *Bucket) Identity(ctx context.Context) (string, error) {
	if s.opts.Endpoint != "" {
		return "", errors.ErrUnsupported
	}
	out, err := sts.NewFromConfig(s.config).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", s.explainAbout(ctx, "ask STS who has the credentials for", "sts:GetCallerIdentity", err)
	}
	return aws.ToString(out.Arn), nil
}

// explainAbout is explain for a call about the bucket itself. A store may not know such a call.
func (s *Bucket) explainAbout(ctx context.Context, verb, action string, err error) error {
	explained := s.explain(ctx, verb, action, "", err)
	if answer, ok := errors.AsType[*awshttp.ResponseError](err); ok && ctx.Err() == nil {
		switch answer.HTTPStatusCode() {
		case http.StatusNotImplemented, http.StatusMethodNotAllowed:
			return errors.Join(errors.ErrUnsupported, explained)
		}
	}
	return explained
}
