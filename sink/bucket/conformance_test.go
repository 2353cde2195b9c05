package bucket_test

import (
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/sink/bucket"
	"github.com/houndtrail/houndtrail/sink/bucket/buckettest"
	"github.com/houndtrail/houndtrail/sink/sinktest/servers"
)

// The journal states for itself what it needs of a store; both stores have it.
var (
	_ checkpoint.Bucket = (*bucket.Dir)(nil)
	_ checkpoint.Bucket = (*bucket.S3)(nil)
)

func TestDirConformance(t *testing.T) {
	t.Parallel()
	buckettest.Run(t, 1<<20, func(t *testing.T) buckettest.Store {
		t.Helper()
		root := t.TempDir()
		return func(folder string) bucket.Bucket {
			d, err := bucket.OpenDir(filepath.Join(root, folder))
			if err != nil {
				t.Fatal(err)
			}
			return d
		}
	})
}

const partSize = 5 << 20 // the least that S3 allows

func TestS3Conformance(t *testing.T) {
	t.Parallel()
	server := servers.VersityGW(t)
	servers.CreateBucket(t, server, "conformance", false)
	var stores atomic.Int64
	buckettest.Run(t, 2*partSize+1, func(t *testing.T) buckettest.Store {
		t.Helper()
		prefix := fmt.Sprintf("store%d/", stores.Add(1))
		return func(folder string) bucket.Bucket {
			opts := options(server, "conformance")
			opts.Prefix, opts.PageSize, opts.PartSize = prefix+folder, 10, partSize
			return openS3(t, opts)
		}
	})
}

// options are those of a server's bucket, with little patience.
func options(server servers.S3, name string) bucket.S3Options {
	return bucket.S3Options{
		Bucket: name, Endpoint: server.Endpoint, Region: server.Region, PathStyle: true,
		AccessKey: server.AccessKey, SecretKey: server.SecretKey,
		MaxAttempts: 3, MaxBackoff: 20 * time.Millisecond,
	}
}

func openS3(t *testing.T, opts bucket.S3Options) *bucket.S3 {
	t.Helper()
	s, err := bucket.OpenS3(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
