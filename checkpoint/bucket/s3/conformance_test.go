package s3_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/checkpoint/bucket/buckettest"
	"github.com/houndtrail/houndtrail/checkpoint/bucket/s3"
	"github.com/houndtrail/houndtrail/sink/sinktest/servers"
)

const partSize = 5 << 20 // the least that S3 allows

func TestConformance(t *testing.T) {
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
			return open(t, opts)
		}
	})
}

// options are those of a server's bucket, with little patience.
func options(server servers.S3, name string) s3.Options {
	return s3.Options{
		Bucket: name, Endpoint: server.Endpoint, Region: server.Region, PathStyle: true,
		AccessKey: server.AccessKey, SecretKey: server.SecretKey,
		MaxAttempts: 3, MaxBackoff: 20 * time.Millisecond,
	}
}

func open(t *testing.T, opts s3.Options) *s3.Bucket {
	t.Helper()
	s, err := s3.Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
