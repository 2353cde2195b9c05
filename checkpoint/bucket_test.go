package checkpoint_test

import (
	"testing"

	"houndtrail/checkpoint"
	"houndtrail/checkpoint/checkpointtest"
	"houndtrail/sink/bucket"
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
