package compact_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/checkpoint/bucket/s3"
	"github.com/houndtrail/houndtrail/sink/archive/compact"
	"github.com/houndtrail/houndtrail/sink/archive/read"
	"github.com/houndtrail/houndtrail/sink/sinktest/servers"
)

// TestObjectLock: in a bucket with versions and Object Lock, a compaction hides the old objects, and every version of them stays.
// Without the right to delete, a role changes nothing, and the error names the missing right.
func TestObjectLock(t *testing.T) {
	t.Parallel()
	server := servers.VersityGW(t)
	servers.CreateBucket(t, server, "locked", true)
	servers.CreateUser(t, server, "AKWRITER", "writer-secret")
	_, err := server.Client.PutBucketPolicy(t.Context(), &sdk.PutBucketPolicyInput{
		Bucket: aws.String("locked"),
		Policy: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["AKWRITER"]},` +
			`"Action":["s3:PutObject","s3:GetObject","s3:ListBucket","s3:PutObjectRetention"],` +
			`"Resource":["arn:aws:s3:::locked","arn:aws:s3:::locked/*"]}]}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	open := func(prefix, access, secret string, rewritten func(string) bool) bucket.Bucket {
		b, err := s3.Open(t.Context(), s3.Options{
			Options: bucket.Options{Rewritten: rewritten}, Bucket: "locked", Prefix: prefix, PathStyle: true,
			Endpoint: server.Endpoint, Region: server.Region, AccessKey: access, SecretKey: secret,
			ObjectLockMode: "COMPLIANCE", ObjectLockDays: 30,
		})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	files := open("a", server.AccessKey, server.SecretKey, read.Rewritten)
	w := newWorld(t, t, files, open("p", server.AccessKey, server.SecretKey, checkpoint.Rewritten), "parquet")
	w.export(14, 2*time.Hour, 2)

	before := w.keys()
	weak := open("a", "AKWRITER", "writer-secret", read.Rewritten)
	err = w.compactor(weak, w.positions, nil).Run(t.Context())
	if !errors.Is(err, compact.ErrDenied) || !strings.Contains(err.Error(), "nothing was changed: delete s3://locked/a/audit/") ||
		!strings.Contains(err.Error(), "allow s3:DeleteObject on arn:aws:s3:::locked/a/") {
		t.Errorf("without the right to delete: %v", err)
	}
	w.mustCompact()
	if n := w.inDays()["dt=2026-03-01"]; n != 1 {
		t.Errorf("%d objects are left", n)
	}
	versions, err := server.Client.ListObjectVersions(t.Context(), &sdk.ListObjectVersionsInput{
		Bucket: aws.String("locked"), Prefix: aws.String("a/audit/"),
	})
	if err != nil {
		t.Fatal(err)
	}
	kept := map[string]bool{}
	for _, v := range versions.Versions {
		kept[strings.TrimPrefix(aws.ToString(v.Key), "a/")] = true
	}
	for _, key := range before {
		if !kept[key] {
			t.Errorf("no version of %s is left", key)
		}
	}
}
