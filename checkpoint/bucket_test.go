package checkpoint_test

import (
	"crypto/rand"
	"strings"
	"testing"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/checkpoint/bucket/dir"
	"github.com/houndtrail/houndtrail/checkpoint/bucket/s3"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/sink/sinktest/servers"
)

func TestDirectory(t *testing.T) {
	t.Parallel()
	checkpointtest.Run(t, func(t *testing.T) (a, b bucket.Bucket) {
		t.Helper()
		folder := t.TempDir()
		open := func() bucket.Bucket {
			d, err := dir.Open(folder)
			if err != nil {
				t.Fatal(err)
			}
			return d
		}
		return open(), open()
	})
}

func TestS3(t *testing.T) {
	t.Parallel()
	server := servers.VersityGW(t)
	servers.CreateBucket(t, server, "journal", false)
	checkpointtest.Run(t, func(t *testing.T) (a, b bucket.Bucket) {
		t.Helper()
		prefix := strings.ToLower(rand.Text())
		open := func() bucket.Bucket {
			s, err := s3.Open(t.Context(), s3.Options{
				Bucket: "journal", Prefix: prefix, Endpoint: server.Endpoint, Region: server.Region, PathStyle: true,
				AccessKey: server.AccessKey, SecretKey: server.SecretKey,
			})
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		return open(), open()
	})
}
