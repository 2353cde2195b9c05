package s3

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/config/setting"
	"github.com/houndtrail/houndtrail/exporter/transport"
)

const (
	// answerTimeout limits connecting and the wait for an answer, without the request's body.
	answerTimeout = time.Minute
	// hastyConnect limits connecting while a person waits.
	hastyConnect = 1500 * time.Millisecond
	// idleConnections is the number of connections that are kept for the next requests. A verification makes this number of
	// requests at a time, and each new connection takes several round trips.
	idleConnections = 64
	// bodyGrace and bodyRate limit the time of a whole body. With them, an upload's part of 16 MiB passes on a line of 60 kB/s.
	bodyGrace = 2 * time.Minute
	bodyRate  = 100_000 // bytes a second
)

// connect makes a client of S3, and returns its configuration. The configuration tells how the client logs in.
func connect(ctx context.Context, opts Options) (*sdk.Client, aws.Config, error) {
	cfg, err := config.LoadDefaultConfig(ctx, loading(opts)...)
	if err != nil {
		return nil, aws.Config{}, fmt.Errorf("read the AWS environment: %w", err)
	}
	if cfg.Region == "" && opts.Endpoint == "" {
		return nil, aws.Config{}, fmt.Errorf("no region is set for s3://%s: set "+setting.S3Region+" or AWS_REGION", opts.Bucket)
	}
	if cfg.Credentials != nil && transport.LeastKey() > 0 {
		cfg.Credentials = aws.NewCredentialsCache(approved{cfg.Credentials})
	}
	return sdk.NewFromConfig(cfg, func(o *sdk.Options) {
		o.UsePathStyle = opts.PathStyle
		o.DisableLogOutputChecksumValidationSkipped = true
		o.HTTPClient = boundedClient(cfg.HTTPClient, opts)
		o.APIOptions = append(o.APIOptions, noteFailures(opts))
		if opts.Endpoint != "" {
			o.BaseEndpoint = aws.String(opts.Endpoint)
			o.APIOptions = append(o.APIOptions, leaveUnsigned("Accept-Encoding"))
			o.Region = cmp.Or(o.Region, "us-east-1")
		}
	}), cfg, nil
}

func loading(opts Options) []func(*config.LoadOptions) error {
	// The services that give credentials use this client unchanged. The SDK adds AWS_CA_BUNDLE to it.
	client := awshttp.NewBuildableClient().WithReadTimeout(answerTimeout).WithTransportOptions(func(tr *http.Transport) {
		tr.OnProxyConnectResponse = transport.ProxyAnswer
		tr.MaxIdleConnsPerHost = idleConnections
	})
	if opts.Interactive {
		client = client.WithDialerOptions(func(d *net.Dialer) { d.Timeout = hastyConnect })
	}
	load := []func(*config.LoadOptions) error{
		config.WithLogger(logging.Nop{}), // the calls return errors; the SDK's own notes would only confuse
		config.WithRetryer(func() aws.Retryer { return newRetryer(opts) }),
		config.WithHTTPClient(client),
	}
	if opts.Region != "" {
		load = append(load, config.WithRegion(opts.Region))
	}
	if opts.AccessKey != "" {
		load = append(load, config.WithCredentialsProvider(
			credentials.NewStaticCredentialsProvider(opts.AccessKey, opts.SecretKey, "")))
	}
	return load
}

// boundedClient is the SDK's client with a time limit on every body. It follows no redirect, since the signature would be wrong
// at the new address.
func boundedClient(client aws.HTTPClient, opts Options) aws.HTTPClient {
	own, ok := client.(*awshttp.BuildableClient)
	if !ok { // the SDK replaces it only by another client of this type
		return client
	}
	return &http.Client{
		Transport: transport.Bound(own.GetTransport(), transport.Bounds{
			Answer: answerTimeout, Idle: opts.Idle, Grace: bodyGrace, Rate: bodyRate, Log: opts.Log,
		}),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// newRetryer adds two answers to the SDK's rules. With them, S3 says that a conditional write met another one. If a person waits,
// it does not try again to connect to a store that is down.
func newRetryer(opts Options) aws.Retryer {
	standard := retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = opts.MaxAttempts
		o.MaxBackoff = cmp.Or(opts.MaxBackoff, o.MaxBackoff)
		if opts.Interactive {
			o.Retryables = append([]retry.IsErrorRetryable{retry.IsErrorRetryableFunc(notWhenDown)}, o.Retryables...)
		}
	})
	return retry.AddWithErrorCodes(standard, "ConditionalRequestConflict", "OperationAborted")
}

func notWhenDown(err error) aws.Ternary {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return aws.FalseTernary
	}
	return aws.UnknownTernary
}

// noteFailures logs each failed attempt that the SDK may try again. The SDK itself does not report them.
func noteFailures(opts Options) func(*middleware.Stack) error {
	log, retryer := opts.Log, newRetryer(opts)
	return func(stack *middleware.Stack) error {
		return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("houndtrail:NoteFailures",
			func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
				middleware.FinalizeOutput, middleware.Metadata, error,
			) {
				out, metadata, err := next.HandleFinalize(ctx, in)
				if r, ok := in.Request.(*smithyhttp.Request); ok && err != nil && ctx.Err() == nil && retryer.IsErrorRetryable(err) {
					log.Warn("a request to the store failed", zap.String("method", r.Method), zap.String("host", r.URL.Host),
						zap.String("path", r.URL.Path), zap.String("error", cause(err)))
				}
				return out, metadata, err
			}), "Retry", middleware.After)
	}
}
