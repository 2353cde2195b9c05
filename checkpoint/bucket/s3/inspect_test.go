package s3_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/houndtrail/houndtrail/checkpoint/bucket/s3"
	"github.com/houndtrail/houndtrail/sink/sinktest/servers"
)

// TestInspector asks a real server about a plain bucket, and about one with Object Lock and a default retention.
func TestInspector(t *testing.T) {
	t.Parallel()
	server := servers.VersityGW(t)
	servers.CreateBucket(t, server, "plain", false)
	servers.CreateBucket(t, server, "locked", true)
	_, err := server.Client.PutObjectLockConfiguration(t.Context(), &sdk.PutObjectLockConfigurationInput{
		Bucket: aws.String("locked"), ObjectLockConfiguration: &types.ObjectLockConfiguration{
			ObjectLockEnabled: types.ObjectLockEnabledEnabled,
			Rule:              &types.ObjectLockRule{DefaultRetention: &types.DefaultRetention{Mode: types.ObjectLockRetentionModeCompliance, Years: aws.Int32(2)}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]s3.ObjectLock{"plain": {}, "locked": {Enabled: true, Mode: "COMPLIANCE", Days: 730}} {
		var i s3.Inspector = open(t, s3.Options{
			Bucket: name, Endpoint: server.Endpoint, Region: server.Region, PathStyle: true, AccessKey: server.AccessKey, SecretKey: server.SecretKey,
		})
		if got, err := i.ObjectLock(t.Context()); got != want || err != nil {
			t.Errorf("%s: Object Lock is %+v, %v; want %+v", name, got, err, want)
		}
		if kept, err := i.Versioning(t.Context()); kept != want.Enabled || err != nil {
			t.Errorf("%s: versions are kept: %t, %v", name, kept, err)
		}
		if _, err := i.Identity(t.Context()); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: the identity is %v, and there is no STS", name, err)
		}
	}
}

// TestIdentity asks a stand-in for STS: versitygw has none, and a test cannot reach the STS of AWS. The form of the answer comes
// from "GetCallerIdentity" in the AWS STS API reference.
func TestIdentity(t *testing.T) {
	const arn = "arn:aws:sts::123456789012:assumed-role/houndtrail/session"
	sts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/xml")
		_, _ = w.Write([]byte(`<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Arn>` + arn +
			`</Arn><UserId>A</UserId><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`))
	}))
	t.Cleanup(sts.Close)
	t.Setenv("AWS_ENDPOINT_URL_STS", sts.URL)
	b := open(t, s3.Options{Bucket: "bucket", Region: "eu-west-1", AccessKey: "A", SecretKey: "S"})
	if got, err := b.Identity(t.Context()); got != arn || err != nil {
		t.Errorf("the identity is %q, %v", got, err)
	}
}
