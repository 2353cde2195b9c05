package s3

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"github.com/houndtrail/houndtrail/config/setting"
	"github.com/houndtrail/houndtrail/exporter/quote"
	"github.com/houndtrail/houndtrail/exporter/transport"
)

// explained is an error in our words. The SDK's error repeats itself at length. It stays underneath, for errors.As.
type explained struct {
	text   string
	remedy string // the next step, with a colon in front; "" if the error does not tell one
	before bool   // there were no credentials, so S3 was not asked
	err    error
}

func (e *explained) Error() string { return e.text + e.remedy }
func (e *explained) Unwrap() error { return e.err }

// Remedy is the part of the text that gives the next step; "" if the error does not tell one.
func (e *explained) Remedy() string { return strings.TrimPrefix(e.remedy, ": ") }

// NoCredentials tells that S3 was not asked. Either there were no credentials, or the service that gives them failed.
func (e *explained) NoCredentials() bool { return e.before }

// Is makes a refusal of S3 an [fs.ErrPermission], like a refusal of a file system.
func (e *explained) Is(target error) bool {
	return target == fs.ErrPermission && denied(apiCode(e.err))
}

// denied tells whether S3 says with a code that the caller lacks a right.
func denied(code string) bool {
	return slices.Contains([]string{"AccessDenied", "AllAccessDisabled", "AccountProblem", "Forbidden"}, code)
}

// explain turns an error of the SDK into one that names the attempt and the object, and gives the cause and the next step. action
// is the permission that the call needs.
func (s *Bucket) explain(ctx context.Context, verb, action, key string, err error) error {
	tried := verb + " " + s.url(key)
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", tried, ctx.Err())
	}
	if service, operation := failing(err); service != "" && service != serviceS3 {
		return &explained{tried + ": " + service + " " + operation + ": " + cause(err), s.login.remedy(service, err), true, err}
	}
	switch apiCode(err) {
	case "PreconditionFailed":
		if verb == "create" {
			return fmt.Errorf("%s: %w", tried, fs.ErrExist)
		}
		return fmt.Errorf("%s: another process changed it: %w", tried, fs.ErrExist)
	case "NoSuchKey", "NoSuchVersion":
		// Only S3's own word counts. Any other 404, such as one from a wrong endpoint, must not look like a store without objects.
		return fmt.Errorf("%s: %w", tried, fs.ErrNotExist)
	}
	none := apiCode(err) == "" && (s.login.unreadable(err) || strings.Contains(err.Error(), "get credentials"))
	return &explained{tried + ": " + cause(err), s.remedy(action, key, err), none, err}
}

func apiCode(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	return ""
}

// cause is the store's own message, with the number for which its support asks. If there is no message, it is the innermost error.
func cause(err error) string {
	if timeout, ok := errors.AsType[*transport.TimeoutError](err); ok { // at any depth: the SDK wraps it
		return timeout.Error()
	}
	if short, ok := errors.AsType[*shortSecretError](err); ok {
		return short.Error()
	}
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		if sent, ok := errors.AsType[*url.Error](err); ok {
			return sent.Err.Error()
		}
		if op, ok := errors.AsType[*smithy.OperationError](err); ok {
			return op.Err.Error()
		}
		return err.Error()
	}
	text := foreign(api.ErrorCode())
	if said := foreign(api.ErrorMessage()); said != "" {
		text += ": " + strings.TrimSuffix(said, ".")
	}
	if answer, ok := errors.AsType[*awshttp.ResponseError](err); ok && answer.RequestID != "" {
		text += " (request id " + answer.RequestID + ")"
	}
	return text
}

// foreign is a text of the store, on one line and cut to a length that a person can read.
func foreign(text string) string { return quote.Clip(quote.OneLine(text), 200) }

// remedy gives the next step after an error. The codes come from "Error responses" in the Amazon S3 API reference.
func (s *Bucket) remedy(action, key string, err error) string {
	if answer, ok := errors.AsType[*awshttp.ResponseError](err); ok && answer.HTTPStatusCode() == http.StatusProxyAuthRequired {
		return ": " + transport.ProxyAdvice
	}
	code := apiCode(err)
	if denied(code) {
		return ": " + s.permission(action, key)
	}
	switch code {
	case "NoSuchBucket":
		return fmt.Sprintf(": bucket %s does not exist: create it, or correct "+setting.ArchiveURL+" or "+
			setting.CheckpointURL, s.opts.Bucket)
	case "NotFound":
		return ": there is no S3 at this address: check " + setting.S3Endpoint + " and " + setting.S3PathStyle
	case "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken", "TokenRefreshRequired":
		return ": the credentials are wrong or have expired: check the role, AWS_ACCESS_KEY_ID and " +
			"AWS_SECRET_ACCESS_KEY, and that nothing between here and the store changes requests"
	case "RequestTimeTooSkewed":
		return ": set the clock of this machine"
	case "PermanentRedirect", "AuthorizationHeaderMalformed", "TemporaryRedirect", "IllegalLocationConstraintException":
		return ": the bucket is in another region" + regionOf(err) + ": set " + setting.S3Region + " to it"
	case "InvalidObjectState":
		return ": it was moved to a storage class that must be restored first: restore it"
	case "InvalidRequest", "InvalidArgument":
		if s.opts.ObjectLockMode != "" {
			return ": does the bucket have Object Lock? Enable it, or unset " + setting.S3ObjectLockMode
		}
	case "":
		return s.remedyOfTransport(err)
	default:
		if strings.HasPrefix(code, "KMS.") {
			return ": check that the key of " + setting.S3KMSKeyID + " exists, is enabled and allows this role"
		}
	}
	return ""
}

// permission names the permission that the role lacks.
func (s *Bucket) permission(action, key string) string {
	arn := "arn:" + partition(s.client.Options().Region) + ":s3:::" + s.opts.Bucket
	switch action {
	case "s3:ListBucket", "s3:ListBucketVersions", "s3:GetBucketVersioning", "s3:GetBucketObjectLockConfiguration":
		return "allow " + action + " on " + arn
	case "s3:GetObject":
		return "allow s3:GetObject on " + arn + "/" + *s.key(key) + ", and s3:ListBucket on " + arn +
			" (without it, an object that is missing looks forbidden)"
	}
	text := "allow " + action
	if action == "s3:DeleteObject" {
		return text + " on " + arn + "/" + *s.key(key)
	}
	if s.opts.ObjectLockMode != "" {
		text += " and s3:PutObjectRetention"
	}
	text += " on " + arn + "/" + *s.key(key)
	if strings.HasPrefix(s.opts.SSE, "aws:kms") {
		text += ", and kms:GenerateDataKey and kms:Decrypt on the key"
	}
	return text
}

// partition is the second part of an ARN in a region. A policy that names another partition's bucket has no effect.
func partition(region string) string {
	for _, p := range []struct{ regions, partition string }{
		{"cn-", "aws-cn"},
		{"us-gov-", "aws-us-gov"},
		{"us-isob-", "aws-iso-b"},
		{"us-isof-", "aws-iso-f"},
		{"us-iso-", "aws-iso"},
		{"eu-isoe-", "aws-iso-e"},
		{"eusc-", "aws-eusc"},
	} {
		if strings.HasPrefix(region, p.regions) {
			return p.partition
		}
	}
	return "aws"
}

func regionOf(err error) string {
	if answer, ok := errors.AsType[*awshttp.ResponseError](err); ok && answer.Response != nil {
		if region := http.Header.Get(answer.Response.Header, "X-Amz-Bucket-Region"); region != "" {
			return ", " + region
		}
	}
	return ""
}

// remedyOfTransport gives the next step after an error that came before the store could answer.
func (s *Bucket) remedyOfTransport(err error) string {
	switch {
	case is[*transport.ProxyError](err): // this error has its own advice
		return ""
	case is[*transport.TimeoutError](err):
		return ": check the store, the network, and what else is on the way there; the next run goes on where this one stopped"
	case is[x509.UnknownAuthorityError](err):
		return ": the store's certificate is signed by an unknown authority: name its CA file in AWS_CA_BUNDLE"
	case s.login.unreadable(err):
		return ": mount the token of AWS_WEB_IDENTITY_TOKEN_FILE there, readable for this user, for role " + s.login.role
	case is[*shortSecretError](err):
		return ": give the store's user a longer secret, and set AWS_SECRET_ACCESS_KEY to it"
	case strings.Contains(err.Error(), "get credentials"):
		return ": no credentials were found: give the pod or machine a role, or set AWS_ACCESS_KEY_ID and " +
			"AWS_SECRET_ACCESS_KEY"
	case s.opts.Endpoint != "" && !s.opts.PathStyle && (is[x509.HostnameError](err) || is[*net.DNSError](err)):
		return ": the store does not know bucket names as host names: set " + setting.S3PathStyle + "=true"
	case is[*net.OpError](err):
		return ": the store cannot be reached: check " + setting.S3Endpoint + ", " + setting.S3Region + ", the network and " +
			"HTTPS_PROXY"
	}
	return ""
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}
