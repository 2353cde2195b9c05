package s3

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/houndtrail/houndtrail/exporter/transport"
)

// signingPrefix stands in front of the secret in the first key of a signature: see "Create a signed AWS API request" in the IAM User
// Guide.
const signingPrefix = "AWS4"

// An approved provider gives only credentials that can sign in the mode of FIPS 140-3. The SDK derives its signing key while it holds
// the lock of a cache. If that panics, the lock stays closed, and the next request waits for it without an end: also the request that
// gives back the lease.
type approved struct{ from aws.CredentialsProvider }

// Retrieve implements [aws.CredentialsProvider].
func (a approved) Retrieve(ctx context.Context) (aws.Credentials, error) {
	c, err := a.from.Retrieve(ctx)
	if err != nil {
		return aws.Credentials{}, err
	}
	if least := transport.LeastKey() - len(signingPrefix); len(c.SecretAccessKey) < least {
		return aws.Credentials{}, &shortSecretError{len(c.SecretAccessKey), least}
	}
	return c, nil
}

// A shortSecretError tells that the secret of the credentials is too short to sign with: it has so many bytes, and needs so many.
type shortSecretError struct{ has, needs int }

func (e *shortSecretError) Error() string {
	return fmt.Sprintf("the secret key of the credentials has %d bytes, and a signature with GODEBUG=fips140=only needs %d", e.has, e.needs)
}
