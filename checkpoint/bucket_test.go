package checkpoint_test

import (
	"crypto/rand"
	"strings"
	"testing"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/sink/bucket"
	"github.com/houndtrail/houndtrail/sink/sinktest/servers"
)

func TestDirectory(t *testing.T) {
	t.Parallel()
	checkpointtest.Run(t, func(t *testing.T) (a, b checkpoint.Bucket) {
		t.Helper()
		folder := t.TempDir()
		open := func() checkpoint.Bucket {
			d, err := bucket.OpenDir(folder)
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
	checkpointtest.Run(t, func(t *testing.T) (a, b checkpoint.Bucket) {
		t.Helper()
		prefix := strings.ToLower(rand.Text())
		open := func() checkpoint.Bucket {
			s, err := bucket.OpenS3(t.Context(), bucket.S3Options{
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
