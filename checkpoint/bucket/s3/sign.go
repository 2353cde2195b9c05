package s3

import (
	"context"
	"errors"

	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// unsignedKey is the key of the values of the unsigned header, in the context of a request.
type unsignedKey struct{}

// leaveUnsigned keeps a header out of the signature. A proxy before a store that is not AWS may change the header on the way.
// If the header were signed, the signature would be wrong at the store. Google's front end changes Accept-Encoding.
func leaveUnsigned(header string) func(*middleware.Stack) error {
	step := func(name string, change func(context.Context, *smithyhttp.Request) context.Context) middleware.FinalizeMiddleware {
		return middleware.FinalizeMiddlewareFunc("houndtrail:"+name, func(
			ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler,
		) (middleware.FinalizeOutput, middleware.Metadata, error) {
			if r, ok := in.Request.(*smithyhttp.Request); ok {
				ctx = change(ctx, r)
			}
			return next.HandleFinalize(ctx, in)
		})
	}
	take := step("TakeUnsigned", func(ctx context.Context, r *smithyhttp.Request) context.Context {
		ctx = middleware.WithStackValue(ctx, unsignedKey{}, r.Header.Values(header))
		r.Header.Del(header)
		return ctx
	})
	give := step("GiveUnsigned", func(ctx context.Context, r *smithyhttp.Request) context.Context {
		values, _ := middleware.GetStackValue(ctx, unsignedKey{}).([]string)
		for _, value := range values {
			r.Header.Add(header, value)
		}
		return ctx
	})
	return func(stack *middleware.Stack) error {
		return errors.Join(
			stack.Finalize.Insert(take, "Signing", middleware.Before),
			stack.Finalize.Insert(give, "Signing", middleware.After),
		)
	}
}
