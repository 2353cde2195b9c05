package s3

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/config/setting"
)

const (
	defaultPartSize    = 16 << 20 // bytes
	defaultMaxAttempts = 5        // of each request
	hastyMaxAttempts   = 3        // while a person waits
	defaultIdle        = 30 * time.Second
)

// Options names the bucket of the objects, and tells how the bucket keeps them. The zero value of each field is the default.
type Options struct {
	bucket.Options

	Bucket string
	Prefix string // of every key, without slashes around it

	Endpoint  string // of a store that is not AWS: https://host
	Region    string // default: of the AWS environment or profile; us-east-1 with an Endpoint
	PathStyle bool   // https://host/bucket instead of https://bucket.host

	SSE      string // AES256 or aws:kms; default: the bucket's own setting
	KMSKeyID string // with aws:kms; default: the account's key for S3

	// ObjectLockMode (GOVERNANCE or COMPLIANCE) and ObjectLockDays keep every version for ObjectLockDays days. Until then, S3 does
	// not delete it.
	ObjectLockMode string
	ObjectLockDays int
	StorageClass   string // default: STANDARD

	// AccessKey and SecretKey replace the AWS default chain (environment, profile, role of the pod or machine).
	AccessKey string
	SecretKey string

	PartSize    int           // bytes; the store writes a larger body in parts. Default 16 MiB, at least 5 MiB
	PageSize    int32         // keys per request of a list; default 1000
	MaxAttempts int           // of each request; default 5, or 3 if Interactive
	MaxBackoff  time.Duration // between two attempts; default 20s
}

func (o Options) withDefaults() Options {
	o.PartSize = cmp.Or(o.PartSize, defaultPartSize)
	if o.Interactive {
		o.MaxAttempts = cmp.Or(o.MaxAttempts, hastyMaxAttempts)
	}
	o.MaxAttempts = cmp.Or(o.MaxAttempts, defaultMaxAttempts)
	o.Idle = cmp.Or(o.Idle, defaultIdle)
	o.Log = cmp.Or(o.Log, zap.NewNop())
	return o
}

// bucketName matches the names that old buckets may have; new ones have shorter, lower-case names.
var bucketName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{2,254}$`)

// check returns all problems at once.
func (o Options) check() error {
	var all []error
	wrong := func(is bool, format string, args ...any) {
		if is {
			all = append(all, fmt.Errorf(format, args...))
		}
	}
	short := len(o.Bucket) == 1 || len(o.Bucket) == 2
	wrong(short, "bucket name %q is too short: S3 wants 3 to 63 characters; write s3://bucket/prefix", o.Bucket)
	wrong(!short && !bucketName.MatchString(o.Bucket), "bucket name %q is not one: write s3://bucket/prefix", o.Bucket)
	if o.Prefix != "" {
		if err := bucket.CheckKey(o.Prefix); err != nil {
			all = append(all, fmt.Errorf("prefix of s3://%s: %w", o.Bucket, err))
		}
	}
	wrong(o.SSE != "" && !slices.Contains(types.ServerSideEncryption("").Values(), types.ServerSideEncryption(o.SSE)),
		setting.S3SSE+" is %q: set AES256 or aws:kms", o.SSE)
	wrong(o.KMSKeyID != "" && !strings.HasPrefix(o.SSE, "aws:kms"),
		setting.S3KMSKeyID+" is set without encryption by it: set "+setting.S3SSE+"=aws:kms")
	wrong(o.ObjectLockMode != "" && !slices.Contains(types.ObjectLockMode("").Values(), types.ObjectLockMode(o.ObjectLockMode)),
		setting.S3ObjectLockMode+" is %q: set GOVERNANCE or COMPLIANCE", o.ObjectLockMode)
	wrong((o.ObjectLockMode != "") != (o.ObjectLockDays > 0) || o.ObjectLockDays < 0,
		setting.S3ObjectLockMode+" and "+setting.S3ObjectLockDays+" (1 or more) need each other")
	wrong(o.StorageClass == "GLACIER" || o.StorageClass == "DEEP_ARCHIVE",
		setting.S3StorageClass+" is %s, whose objects cannot be read without a restore: "+
			"use GLACIER_IR, or move old objects with a lifecycle rule", o.StorageClass)
	wrong((o.AccessKey == "") != (o.SecretKey == ""), "an access key and a secret key need each other")
	return errors.Join(all...)
}
