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

// TestForgetObjectLock: in a bucket with Object Lock, the plan tells how long the versions are kept. A removal only hides the
// objects, and every version of them stays.
func TestForgetObjectLock(t *testing.T) {
	t.Parallel()
	server := servers.VersityGW(t)
	servers.CreateBucket(t, server, "locked", true)
	servers.CreateUser(t, server, "AKFORGET", "forget-secret") // the server does not tell its root user about locks
	_, err := server.Client.PutBucketPolicy(t.Context(), &sdk.PutBucketPolicyInput{
		Bucket: aws.String("locked"),
		Policy: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["AKFORGET"]},` +
			`"Action":["s3:PutObject","s3:GetObject","s3:ListBucket","s3:PutObjectRetention","s3:GetObjectRetention","s3:DeleteObject"],` +
			`"Resource":["arn:aws:s3:::locked","arn:aws:s3:::locked/*"]}]}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	open := func(prefix string, rewritten func(string) bool) bucket.Bucket {
		b, err := s3.Open(t.Context(), s3.Options{
			Options: bucket.Options{Rewritten: rewritten}, Bucket: "locked", Prefix: prefix, PathStyle: true,
			Endpoint: server.Endpoint, Region: server.Region, AccessKey: "AKFORGET", SecretKey: "forget-secret",
			ObjectLockMode: "COMPLIANCE", ObjectLockDays: 30,
		})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	w := newWorld(t, t, open("a", read.Rewritten), open("p", checkpoint.Rewritten), "parquet")
	w.since = day1.AddDate(0, 0, 3)
	w.export(4, 24*time.Hour, 2)
	refused := errors.New("locked")
	var total compact.GoneDay
	refuse := func(p *compact.Plan) error {
		total = p.Total()
		return refused
	}
	err = w.compactor(w.files, w.positions, nil).Forget(t.Context(), orderBefore(day3), refuse, nil)
	if until := time.Until(total.LockedUntil); !errors.Is(err, refused) || total.Objects != 2 || total.Versions != 2 || total.Locked != 2 ||
		until < 29*24*time.Hour || until > 31*24*time.Hour {
		t.Errorf("it plans %+v, %v", total, err)
	}
	w.check()
	hidden := w.keys()[:2]
	if _, err := w.forget(day3); err != nil {
		t.Fatal(err)
	}
	w.forgot(day3)
	w.check()
	versions, err := server.Client.ListObjectVersions(t.Context(), &sdk.ListObjectVersionsInput{Bucket: aws.String("locked"), Prefix: aws.String("a/audit/")})
	if err != nil {
		t.Fatal(err)
	}
	kept := map[string]bool{}
	for _, v := range versions.Versions {
		kept[strings.TrimPrefix(aws.ToString(v.Key), "a/")] = true
	}
	for _, key := range hidden {
		if !kept[key] {
			t.Errorf("no version of %s is left", key)
		}
	}
}
