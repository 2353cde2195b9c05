package bucket_test

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/houndtrail/houndtrail/sink/bucket"
	"github.com/houndtrail/houndtrail/sink/sinktest/servers"
)

// TestS3ObjectLock: what is kept can really not be deleted, in one piece or in parts; working state can.
func TestS3ObjectLock(t *testing.T) {
	t.Parallel()
	server := servers.VersityGW(t)
	servers.CreateBucket(t, server, "locked", true)
	opts := options(server, "locked")
	opts.Prefix, opts.PartSize = "p", partSize
	opts.ObjectLockMode, opts.ObjectLockDays = "COMPLIANCE", 30
	opts.Rewritten = func(key string) bool { return key == "lease" }
	b := openS3(t, opts)

	tests := map[string]struct {
		body     []byte
		locked   bool
		checksum string // that the store keeps
	}{
		"entry": {[]byte("one"), true, "dpLDrTVAu4A8Ags67mbNiIcSMjTqDG5xQ8Ct1z/0Me0="},
		"large": {make([]byte, partSize+1), true, "-2"}, // of the parts' checksums
		"lease": {[]byte("one"), false, "dpLDrTVAu4A8Ags67mbNiIcSMjTqDG5xQ8Ct1z/0Me0="},
	}
	for key, test := range tests {
		mustPut(t, b, key, test.body, "")
		head, err := server.Client.HeadObject(t.Context(), &s3.HeadObjectInput{
			Bucket: aws.String("locked"), Key: aws.String("p/" + key), ChecksumMode: types.ChecksumModeEnabled,
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := aws.ToString(head.ChecksumSHA256); !strings.HasSuffix(got, test.checksum) {
			t.Errorf("%s: SHA-256 %q; want %q", key, got, test.checksum)
		}
		if test.locked {
			left := time.Until(aws.ToTime(head.ObjectLockRetainUntilDate)).Hours() / 24
			if head.ObjectLockMode != types.ObjectLockModeCompliance || left < 29.9 || left > 30.1 {
				t.Errorf("%s is locked by %q for %.1f days; want COMPLIANCE for 30", key, head.ObjectLockMode, left)
			}
		}
		_, err = server.Client.DeleteObject(t.Context(), &s3.DeleteObjectInput{
			Bucket: aws.String("locked"), Key: aws.String("p/" + key), VersionId: head.VersionId,
		})
		var api smithy.APIError
		if refused := errors.As(err, &api) && api.ErrorCode() == "AccessDenied"; refused != test.locked {
			t.Errorf("deleting the version of %s: %v; want refused: %v", key, err, test.locked)
		}
	}
}

// TestS3Headers: what versitygw takes without acting on it is checked where it is sent.
func TestS3Headers(t *testing.T) {
	t.Parallel()
	server := servers.VersityGW(t)
	servers.CreateBucket(t, server, "headers", true)
	p := newProxy(t, server.Endpoint, func(*http.Request) fault { return none })
	opts := options(server, "headers")
	opts.Endpoint, opts.PartSize = p.URL, partSize
	opts.SSE, opts.KMSKeyID, opts.StorageClass = "aws:kms", "alias/audit", "STANDARD_IA"
	opts.ObjectLockMode, opts.ObjectLockDays = "GOVERNANCE", 1
	opts.Rewritten = func(key string) bool { return strings.HasPrefix(key, "lease") }
	b := openS3(t, opts)

	kms := map[string]string{
		"X-Amz-Server-Side-Encryption": "aws:kms", "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id": "alias/audit",
	}
	for _, test := range []struct {
		key, method string // the request that carries the object's headers
		size        int
		kept        bool
	}{
		{"entry", http.MethodPut, 1, true},
		{"large", http.MethodPost, partSize + 1, true},
		{"lease", http.MethodPut, 1, false},
		{"lease-large", http.MethodPost, partSize + 1, false},
	} {
		mustPut(t, b, test.key, make([]byte, test.size), "")
		sent := p.requests(test.method)[0].Header
		want := map[string]string{"X-Amz-Storage-Class": "", "X-Amz-Object-Lock-Mode": ""}
		if test.kept {
			want = map[string]string{"X-Amz-Storage-Class": "STANDARD_IA", "X-Amz-Object-Lock-Mode": "GOVERNANCE"}
		}
		for _, headers := range []map[string]string{kms, want} {
			for name, value := range headers {
				if got := sent.Get(name); got != value {
					t.Errorf("%s: header %s is %q; want %q", test.key, name, got, value)
				}
			}
		}
		if got := sent.Get("X-Amz-Object-Lock-Retain-Until-Date"); (got != "") != test.kept {
			t.Errorf("%s: retained until %q; want kept: %v", test.key, got, test.kept)
		}
	}
}

// TestS3Age: the age is the difference of the store's own two headers.
func TestS3Age(t *testing.T) {
	t.Parallel()
	stub := newStub(t, func(w http.ResponseWriter) {
		w.Header().Set("ETag", `"e"`)
		w.Header().Set("Last-Modified", "Mon, 02 Jan 2006 15:00:00 GMT")
		w.Header().Set("Date", "Mon, 02 Jan 2006 15:04:05 GMT")
		_, _ = w.Write([]byte("x"))
	})
	_, version, age, err := openS3(t, stub).Get(t.Context(), "a")
	if err != nil || age != 4*time.Minute+5*time.Second || version != `"e"` {
		t.Errorf("Get: version %q, age %s, %v; want \"e\" and 4m5s, though both are years ago", version, age, err)
	}
}

// TestS3OptionsAtOnce: all that is wrong is told together.
func TestS3OptionsAtOnce(t *testing.T) {
	t.Setenv("AWS_REGION", "")
	t.Setenv("AWS_CONFIG_FILE", "/nonexistent")
	_, err := bucket.OpenS3(t.Context(), bucket.S3Options{
		Bucket: "b", Prefix: "a//b", SSE: "yes", KMSKeyID: "k", ObjectLockMode: "governance", StorageClass: "GLACIER", AccessKey: "a",
	})
	for _, want := range []string{
		`bucket name "b" is too short`, "unsafe object key", "HOUNDTRAIL_S3_SSE is", "HOUNDTRAIL_S3_KMS_KEY_ID", "GOVERNANCE or COMPLIANCE",
		"need each other", "HOUNDTRAIL_S3_STORAGE_CLASS", "access key", "HOUNDTRAIL_S3_REGION",
	} {
		wantError(t, "OpenS3", err, want)
	}
}

// TestS3BrokenBody: a body that breaks off is read again, and never passed on as it is.
func TestS3BrokenBody(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ broken, wantSent int }{{1, 2}, {1000, 3}} {
		var sent atomic.Int64
		stub := newStub(t, func(w http.ResponseWriter) {
			w.Header().Set("ETag", `"e"`)
			w.Header().Set("Last-Modified", "Mon, 02 Jan 2006 15:00:00 GMT")
			w.Header().Set("Content-Length", "8")
			_, _ = w.Write([]byte("half"))
			if sent.Add(1) > int64(test.broken) {
				_, _ = w.Write([]byte("half"))
			}
		})
		body, _, _, err := openS3(t, stub).Get(t.Context(), "a")
		if test.broken == 1 && (err != nil || string(body) != "halfhalf") {
			t.Errorf("Get: %q, %v; want the whole body", body, err)
		}
		if test.broken > 1 && (err == nil || body != nil) {
			t.Errorf("Get of what always breaks off: %q, %v; want an error", body, err)
		}
		if got := int(sent.Load()); got != test.wantSent {
			t.Errorf("%d requests were sent; want %d", got, test.wantSent)
		}
	}
}

func TestS3Options(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*bucket.S3Options){
		"":                                 func(*bucket.S3Options) {},
		"is too short":                     func(o *bucket.S3Options) { o.Bucket = "ab" },
		"bucket name":                      func(o *bucket.S3Options) { o.Bucket = "" },
		"unsafe object key":                func(o *bucket.S3Options) { o.Prefix = "a/../b" },
		"HOUNDTRAIL_S3_SSE is":             func(o *bucket.S3Options) { o.SSE = "yes" },
		"HOUNDTRAIL_S3_KMS_KEY_ID":         func(o *bucket.S3Options) { o.SSE, o.KMSKeyID = "AES256", "k" },
		"GOVERNANCE or COMPLIANCE":         func(o *bucket.S3Options) { o.ObjectLockMode, o.ObjectLockDays = "governance", 1 },
		"need each other":                  func(o *bucket.S3Options) { o.ObjectLockDays = 1 },
		"LOCK_DAYS (1 or more)":            func(o *bucket.S3Options) { o.ObjectLockMode = "GOVERNANCE" },
		"HOUNDTRAIL_S3_OBJECT_LOCK_MODE":   func(o *bucket.S3Options) { o.ObjectLockDays = -1 },
		"restore":                          func(o *bucket.S3Options) { o.StorageClass = "DEEP_ARCHIVE" },
		"access key and a secret key need": func(o *bucket.S3Options) { o.SecretKey = "" },
	} {
		opts := bucket.S3Options{
			Bucket: "bucket", Region: "r", SSE: "aws:kms", KMSKeyID: "k", StorageClass: "GLACIER_IR", AccessKey: "a",
			SecretKey: "s",
		}
		change(&opts)
		_, err := bucket.OpenS3(t.Context(), opts)
		if want == "" && err != nil {
			t.Errorf("good options are refused: %v", err)
		}
		if want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("error %v; want one with %q", err, want)
		}
	}
}
