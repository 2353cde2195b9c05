package s3_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/houndtrail/houndtrail/checkpoint/bucket/buckettest"
	"github.com/houndtrail/houndtrail/sink/sinktest/servers"
)

// TestDeleteKeepsVersions: in a bucket with versions, Delete hides the objects and keeps every version of them. It does the same
// with objects that Object Lock retains.
func TestDeleteKeepsVersions(t *testing.T) {
	t.Parallel()
	server := servers.VersityGW(t)
	servers.CreateBucket(t, server, "locked", true)
	opts := options(server, "locked")
	opts.Prefix, opts.ObjectLockMode, opts.ObjectLockDays = "p", "COMPLIANCE", 30
	b := open(t, opts)
	buckettest.Put(t, b, "a", []byte("two"), buckettest.Put(t, b, "a", []byte("one"), ""))
	buckettest.Put(t, b, "b", []byte("three"), "")
	if err := b.Delete(t.Context(), "a", "b"); err != nil {
		t.Fatal(err)
	}
	if keys, err := b.List(t.Context(), "", ""); err != nil || len(keys) > 0 {
		t.Errorf("List: %q, %v; want nothing", keys, err)
	}
	versions, err := server.Client.ListObjectVersions(t.Context(), &sdk.ListObjectVersionsInput{Bucket: aws.String("locked")})
	if err != nil {
		t.Fatal(err)
	}
	if len(versions.Versions) != 3 || len(versions.DeleteMarkers) != 2 {
		t.Errorf("%d versions and %d delete markers; want 3 and 2", len(versions.Versions), len(versions.DeleteMarkers))
	}
}

// TestDeleteRefused: if a role lacks the right, the error names that right.
func TestDeleteRefused(t *testing.T) {
	t.Parallel()
	server := servers.VersityGW(t)
	servers.CreateBucket(t, server, "plain", false)
	servers.CreateUser(t, server, "AKWRITER", "writer-secret")
	_, err := server.Client.PutBucketPolicy(t.Context(), &sdk.PutBucketPolicyInput{
		Bucket: aws.String("plain"),
		Policy: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["AKWRITER"]},` +
			`"Action":["s3:PutObject","s3:GetObject"],"Resource":["arn:aws:s3:::plain/*"]}]}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	opts := options(server, "plain")
	opts.AccessKey, opts.SecretKey, opts.Prefix = "AKWRITER", "writer-secret", "p"
	b := open(t, opts)
	buckettest.Put(t, b, "a", []byte("one"), "")
	err = b.Delete(t.Context(), "a", "b")
	buckettest.WantError(t, "Delete", err, "allow s3:DeleteObject on arn:aws:s3:::plain/p/a")
	if err != nil && !strings.Contains(err.Error(), "delete s3://plain/p/a: AccessDenied") {
		t.Errorf("Delete: %v", err)
	}
	if _, _, _, err := b.Get(t.Context(), "a"); err != nil {
		t.Error(err)
	}
}
