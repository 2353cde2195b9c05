package s3

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
)

// Open implements [bucket.Bucket] with a GET of the last bytes. Its answer also tells the size.
func (s *Bucket) Open(ctx context.Context, key string, tail int) (bucket.Object, error) {
	if err := bucket.CheckKey(key); err != nil {
		return nil, err
	}
	o := &object{store: s, ctx: ctx, key: key}
	body, out, err := s.part(ctx, key, "-"+strconv.Itoa(max(tail, 1)), nil)
	switch {
	case apiCode(err) == "InvalidRange": // an empty object has no range
		return o, nil
	case err != nil:
		return nil, err
	}
	o.tail, o.etag, o.size = body, out.ETag, int64(len(body))
	if out.ContentRange != nil { // without it, the store has sent the whole object
		_, total, _ := strings.Cut(*out.ContentRange, "/")
		if o.size, err = strconv.ParseInt(total, 10, 64); err != nil {
			return nil, fmt.Errorf("read %s: the answer has the range %q, which tells no size", s.url(key), *out.ContentRange)
		}
	}
	if o.etag == nil && o.size > int64(len(body)) {
		return nil, fmt.Errorf("read %s: the answer lacks ETag: something between here and the store removes headers", s.url(key))
	}
	return o, nil
}

// part reads a range of an object. The store's checksum covers the whole object, so the SDK must not compare it.
func (s *Bucket) part(ctx context.Context, key, span string, etag *string) (body []byte, out *sdk.GetObjectOutput, err error) {
	for range readAttempts {
		out, err = s.client.GetObject(ctx, &sdk.GetObjectInput{
			Bucket: &s.opts.Bucket, Key: s.key(key), Range: aws.String("bytes=" + span), IfMatch: etag,
		}, func(o *sdk.Options) { o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired })
		if err != nil {
			break
		}
		body, err = io.ReadAll(out.Body)
		_ = out.Body.Close()
		if err == nil {
			return body, out, nil
		}
		if ctx.Err() != nil {
			break
		}
		s.opts.Log.Warn("a part of an object was not read to its end", zap.String("object", s.url(key)), zap.Error(err))
	}
	return nil, nil, s.explain(ctx, "read", "s3:GetObject", key, err)
}

// An object is open for reading parts of it.
type object struct {
	store *Bucket
	ctx   context.Context //nolint:containedctx // an io.ReaderAt gets none
	key   string
	etag  *string
	size  int64
	tail  []byte
}

func (o *object) Size() int64 { return o.size }

// Close has nothing to end: between two requests, the store does not know that there is a reader.
func (o *object) Close() error { return nil }

func (o *object) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("read %s: no byte is at %d", o.store.url(o.key), off)
	}
	end := min(off+int64(len(p)), o.size)
	if off >= end {
		return 0, io.EOF
	}
	part := p[:end-off]
	if start := o.size - int64(len(o.tail)); off >= start {
		copy(part, o.tail[off-start:])
	} else {
		body, _, err := o.store.part(o.ctx, o.key, fmt.Sprintf("%d-%d", off, end-1), o.etag)
		if err != nil {
			return 0, err
		}
		if len(body) != len(part) {
			return 0, fmt.Errorf("read %s: %d bytes came instead of %d: something between here and the store ignores ranges",
				o.store.url(o.key), len(body), len(part))
		}
		copy(part, body)
	}
	if len(part) < len(p) {
		return len(part), io.EOF
	}
	return len(part), nil
}
