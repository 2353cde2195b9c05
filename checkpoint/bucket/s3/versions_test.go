package s3_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/houndtrail/houndtrail/checkpoint/bucket/buckettest"
	"github.com/houndtrail/houndtrail/sink/sinktest/servers"
)

// In a bucket with versions, a reader can still read a covered body and a hidden one. If a caller may not see versions, the error
// says so.
func TestVersions(t *testing.T) {
	t.Parallel()
	server := servers.VersityGW(t)
	servers.CreateBucket(t, server, "lake", true)
	opts := options(server, "lake")
	opts.Prefix = "trail"
	b := open(t, opts)
	version := buckettest.Put(t, b, "a/b", []byte("one"), "")
	buckettest.Put(t, b, "a/b", []byte("two"), version)
	_, err := server.Client.DeleteObject(t.Context(), &sdk.DeleteObjectInput{Bucket: aws.String("lake"), Key: aws.String("trail/a/b")})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for v, err := range b.Versions(t.Context(), "a/") {
		if err != nil {
			t.Fatal(err)
		}
		if v.Marker {
			got["marker"] = v.Newest
			continue
		}
		body, err := b.GetVersion(t.Context(), v.Key, v.ID)
		if err != nil || v.Newest {
			t.Errorf("version %+v: %v", v, err)
		}
		got[string(body)] = true
	}
	if !got["marker"] || !got["one"] || !got["two"] {
		t.Errorf("found %v, want both bodies below a marker", got)
	}

	servers.CreateUser(t, server, "reader", "secret-of-a-reader")
	policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["reader"]},` +
		`"Action":["s3:GetObject","s3:ListBucket"],"Resource":["arn:aws:s3:::lake","arn:aws:s3:::lake/*"]}]}`
	_, err = server.Client.PutBucketPolicy(t.Context(), &sdk.PutBucketPolicyInput{Bucket: aws.String("lake"), Policy: &policy})
	if err != nil {
		t.Fatal(err)
	}
	opts.AccessKey, opts.SecretKey = "reader", "secret-of-a-reader"
	reader := open(t, opts)
	for v, err := range reader.Versions(t.Context(), "a/") {
		buckettest.WantError(t, fmt.Sprintf("Versions, %+v", v), err, "allow s3:ListBucketVersions on arn:aws:s3:::lake")
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("Versions: %v; want errors.ErrUnsupported", err)
		}
	}
}
