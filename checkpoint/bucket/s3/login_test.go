package s3_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/houndtrail/houndtrail/checkpoint/bucket/buckettest"
	"github.com/houndtrail/houndtrail/checkpoint/bucket/s3"
)

const (
	role   = "arn:aws:iam::123456789012:role/houndtrail"
	noRole = "AWS_EC2_METADATA_DISABLED"
)

// withToken sets an environment. In it, the STS at the address exchanges a token in a file for a role.
func withToken(t *testing.T, sts string) (tokenFile string) {
	t.Helper()
	tokenFile = filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(tokenFile, []byte("header.payload.signature"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_PROFILE": "", "AWS_CONFIG_FILE": "/nonexistent",
		"AWS_SHARED_CREDENTIALS_FILE": "/nonexistent", "AWS_ROLE_ARN": role, "AWS_WEB_IDENTITY_TOKEN_FILE": tokenFile,
		"AWS_ENDPOINT_URL_STS": sts, noRole: "true",
	} {
		t.Setenv(name, value)
	}
	return tokenFile
}

// TestRoleRefused: if STS gives no role, the error is about the role, its token and its trust policy. It is not about S3.
func TestRoleRefused(t *testing.T) {
	code := ""
	sts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/xml")
		w.WriteHeader(http.StatusForbidden)
		_, _ = fmt.Fprintf(w, `<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>as the test wants it</Message></Error>`+
			`<RequestId>R1</RequestId></ErrorResponse>`, code)
	}))
	t.Cleanup(sts.Close)
	tokenFile := withToken(t, sts.URL)
	b := open(t, s3.Options{Bucket: "bucket", Region: "eu-west-1", MaxAttempts: 1, MaxBackoff: 1})
	for said, why := range map[string]string{
		"AccessDenied":          "trust policy does not accept the token",
		"ExpiredTokenException": "the token has expired",
		"InvalidIdentityToken":  "no identity provider of the account",
		"IDPCommunicationError": "cannot read the keys of the token's issuer",
		"ValidationError":       "is malformed",
	} {
		code = said
		_, _, _, getErr := b.Get(t.Context(), "a")
		_, putErr := b.Put(t.Context(), "a", []byte("x"), "")
		_, listErr := b.List(t.Context(), "", "")
		for call, err := range map[string]error{"Get": getErr, "Put": putErr, "List": listErr} {
			for _, want := range []string{
				": STS AssumeRoleWithWebIdentity: " + said, why, "role " + role, tokenFile, "trust policy", "audience (sts.amazonaws.com)",
			} {
				buckettest.WantError(t, call, err, want)
			}
			for _, wrong := range []string{"s3:GetObject", "s3:PutObject", "s3:ListBucket", "AWS_ACCESS_KEY_ID"} {
				if err != nil && strings.Contains(err.Error(), wrong) {
					t.Errorf("%s: %v\nspeaks of %s", call, err, wrong)
				}
			}
		}
	}
}

// TestRoleUnreachable: if STS is down or the token is missing, the error does not say that the store is down.
func TestRoleUnreachable(t *testing.T) {
	tokenFile := withToken(t, "http://127.0.0.1:1")
	opts := s3.Options{Bucket: "bucket", Region: "eu-west-1", MaxAttempts: 1}
	_, err := open(t, opts).List(t.Context(), "", "")
	buckettest.WantError(t, "List", err, "connection refused: STS cannot be reached")
	if err := os.Remove(tokenFile); err != nil {
		t.Fatal(err)
	}
	_, err = open(t, opts).List(t.Context(), "", "")
	buckettest.WantError(t, "List", err, "mount the token of AWS_WEB_IDENTITY_TOKEN_FILE there")
}

// TestNoMetadata: if the metadata service of EC2 gives no credentials, the error names the hop limit as a possible cause.
func TestNoMetadata(t *testing.T) {
	imds := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }))
	t.Cleanup(imds.Close)
	withToken(t, "")
	for name, value := range map[string]string{
		"AWS_ROLE_ARN": "", "AWS_WEB_IDENTITY_TOKEN_FILE": "", noRole: "", "AWS_EC2_METADATA_SERVICE_ENDPOINT": imds.URL,
	} {
		t.Setenv(name, value)
	}
	_, err := open(t, s3.Options{Bucket: "bucket", Region: "eu-west-1", MaxAttempts: 1}).List(t.Context(), "", "")
	buckettest.WantError(t, "List", err, ": ec2imds ")
	buckettest.WantError(t, "List", err, "hop limit (--http-put-response-hop-limit) is 2 or more")
	if err != nil && strings.Contains(err.Error(), "s3:ListBucket") {
		t.Errorf("List: %v\nspeaks of a permission of S3", err)
	}
}
