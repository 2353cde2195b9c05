package s3

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go"
)

// A login names the role and the token file, if the client gets its credentials in exchange for a token in a file.
type login struct{ role, tokenFile string }

func loginOf(cfg aws.Config) (l login) {
	for _, source := range cfg.ConfigSources {
		switch c := source.(type) {
		case config.EnvConfig:
			if c.WebIdentityTokenFilePath != "" {
				return login{c.RoleARN, c.WebIdentityTokenFilePath}
			}
		case config.SharedConfig:
			if c.WebIdentityTokenFile != "" {
				return login{c.RoleARN, c.WebIdentityTokenFile}
			}
		}
	}
	return login{}
}

// The services that give credentials, by their names in the SDK.
const (
	serviceS3   = "S3"
	serviceSTS  = "STS"
	serviceIMDS = "ec2imds"
)

// failing returns the innermost operation that failed. If there were no credentials for S3, it is an operation of another
// service.
func failing(err error) (service, operation string) {
	for {
		op, ok := errors.AsType[*smithy.OperationError](err)
		if !ok {
			return service, operation
		}
		service, operation, err = op.Service(), op.Operation(), op.Err
	}
}

// remedy gives the next step if a service gave no credentials.
func (l login) remedy(service string, err error) string {
	switch {
	case service == serviceSTS && is[*net.OpError](err):
		return ": STS cannot be reached: check the network and HTTPS_PROXY; a network without a way out needs a VPC endpoint of STS"
	case service == serviceSTS:
		return ": " + l.refused(apiCode(err))
	case service == serviceIMDS:
		return ": no credentials were found: give the pod or machine a role, or set AWS_ACCESS_KEY_ID and " +
			"AWS_SECRET_ACCESS_KEY; in a container on EC2 the metadata service answers only if the instance's hop limit " +
			"(--http-put-response-hop-limit) is 2 or more"
	case strings.HasPrefix(service, "SSO"):
		return ": log in again with aws sso login"
	default:
		return ": the service that gives this pod its credentials refused or failed: check the role that it is associated with"
	}
}

// refused explains an answer of STS about the token: see "Errors" of AssumeRoleWithWebIdentity in the AWS STS API reference.
func (l login) refused(code string) string {
	if l.tokenFile == "" {
		return "the role is not given to these credentials: check the role's trust policy and the profile in AWS_PROFILE"
	}
	why := "the role's trust policy does not accept the token"
	switch code {
	case "ExpiredTokenException", "ExpiredToken":
		why = "the token has expired: does the kubelet renew the file, and is the clock right?"
	case "InvalidIdentityToken", "InvalidIdentityTokenException":
		why = "the token's issuer is no identity provider of the account, or the provider does not list its audience"
	case "IDPCommunicationError", "IDPCommunicationErrorException":
		why = "AWS cannot read the keys of the token's issuer"
	case "ValidationError", "MalformedPolicyDocument":
		why = "the name of the role or the token is malformed"
	}
	return fmt.Sprintf("role %s is not given for the token in %s: %s; the trust policy of the role has to name the token's issuer, "+
		"its subject (the service account) and its audience (sts.amazonaws.com)", l.role, l.tokenFile, why)
}

// unreadable tells that the SDK could not even read the token. The SDK tells this only in the text of its error.
func (l login) unreadable(err error) bool {
	return l.tokenFile != "" && strings.Contains(err.Error(), "unable to read file at "+l.tokenFile)
}
