// Package open opens the store that a URL names.
package open

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/checkpoint/bucket/dir"
	"github.com/houndtrail/houndtrail/checkpoint/bucket/s3"
)

// Options are the options for every kind of store, and the options for one kind only. Open uses the options of the URL's kind.
type Options struct {
	bucket.Options
	S3 s3.Options // Open sets the fields that come from the URL, and the options of every kind
}

// A kind is one kind of store.
type kind struct {
	scheme string // of its URLs
	form   string // of its URLs, for advice
	// open opens the store at u. rawURL is the same URL as the caller wrote it.
	open func(ctx context.Context, rawURL string, u *url.URL, opts Options) (bucket.Bucket, error)
}

// kinds are all kinds of stores: a new kind needs a line here.
//
//nolint:gochecknoglobals // a constant
var kinds = []kind{
	{"file", "file:///dir", openDir},
	{"s3", "s3://bucket/prefix", openS3},
}

// Open opens the store that a URL names: file:///abs/dir, or s3://bucket/prefix. It does not contact the store: if only the
// store can see a mistake, the first call shows it.
func Open(ctx context.Context, rawURL string, opts Options) (bucket.Bucket, error) {
	var forms []string
	for _, k := range kinds {
		forms = append(forms, k.form)
	}
	advice := "write " + strings.Join(forms, " or ")
	u, err := url.Parse(rawURL)
	if err != nil {
		// The error of url.Parse quotes the URL, which may hold a password.
		if parse, ok := errors.AsType[*url.Error](err); ok {
			err = parse.Err
		}
		return nil, fmt.Errorf("storage URL cannot be read: %w: %s", err, advice)
	}
	if u.User != nil {
		return nil, errors.New("storage URL has a user or password in it: " +
			"leave them out, credentials come from the environment (AWS_ACCESS_KEY_ID or a role)")
	}
	if u.RawQuery != "" || u.Fragment != "" || u.ForceQuery {
		return nil, fmt.Errorf("storage URL %q has something after a ? or #: "+
			"write the address only, options are settings of their own", rawURL)
	}
	for _, k := range kinds {
		if k.scheme == u.Scheme {
			return k.open(ctx, rawURL, u, opts)
		}
	}
	if u.Scheme == "" {
		return nil, fmt.Errorf("storage URL %q has no scheme: %s", rawURL, advice)
	}
	return nil, fmt.Errorf("storage URL %q: scheme %q is not supported: %s", rawURL, u.Scheme, advice)
}

func openDir(_ context.Context, rawURL string, u *url.URL, _ Options) (bucket.Bucket, error) {
	if u.Opaque != "" || u.Host != "" || u.Path == "" {
		return nil, fmt.Errorf("storage URL %q is not an absolute path: write file:///dir, with three slashes", rawURL)
	}
	return dir.Open(u.Path)
}

func openS3(ctx context.Context, rawURL string, u *url.URL, opts Options) (bucket.Bucket, error) {
	if u.Host == "" {
		return nil, fmt.Errorf("storage URL %q names no bucket: write s3://bucket/prefix", rawURL)
	}
	opts.S3.Options, opts.S3.Bucket, opts.S3.Prefix = opts.Options, u.Host, strings.Trim(u.Path, "/")
	return s3.Open(ctx, opts.S3)
}
