package s3_test

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/houndtrail/houndtrail/checkpoint/bucket/buckettest"
	"github.com/houndtrail/houndtrail/checkpoint/bucket/s3"
	"github.com/houndtrail/houndtrail/sink/sinktest/servers"
)

// TestObjectLock: a kept object cannot be deleted, even if it was uploaded in parts. Working state can be deleted.
func TestObjectLock(t *testing.T) {
	t.Parallel()
	server := servers.VersityGW(t)
	servers.CreateBucket(t, server, "locked", true)
	opts := options(server, "locked")
	opts.Prefix, opts.PartSize = "p", partSize
	opts.ObjectLockMode, opts.ObjectLockDays = "COMPLIANCE", 30
	opts.Rewritten = func(key string) bool { return key == "lease" }
	b := open(t, opts)

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
		buckettest.Put(t, b, key, test.body, "")
		head, err := server.Client.HeadObject(t.Context(), &sdk.HeadObjectInput{
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
		_, err = server.Client.DeleteObject(t.Context(), &sdk.DeleteObjectInput{
			Bucket: aws.String("locked"), Key: aws.String("p/" + key), VersionId: head.VersionId,
		})
		var api smithy.APIError
		if refused := errors.As(err, &api) && api.ErrorCode() == "AccessDenied"; refused != test.locked {
			t.Errorf("deleting the version of %s: %v; want refused: %v", key, err, test.locked)
		}
	}
}

// TestHeaders: versitygw accepts these headers, but does not act on them. So the test checks the requests.
func TestHeaders(t *testing.T) {
	t.Parallel()
	server := servers.VersityGW(t)
	servers.CreateBucket(t, server, "headers", true)
	p := newProxy(t, server.Endpoint, func(*http.Request) fault { return none })
	opts := options(server, "headers")
	opts.Endpoint, opts.PartSize = p.URL, partSize
	opts.SSE, opts.KMSKeyID, opts.StorageClass = "aws:kms", "alias/audit", "STANDARD_IA"
	opts.ObjectLockMode, opts.ObjectLockDays = "GOVERNANCE", 1
	opts.Rewritten = func(key string) bool { return strings.HasPrefix(key, "lease") }
	b := open(t, opts)

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
		buckettest.Put(t, b, test.key, make([]byte, test.size), "")
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

// TestAge: the age is the difference of the store's own two headers.
func TestAge(t *testing.T) {
	t.Parallel()
	stub := newStub(t, func(w http.ResponseWriter) {
		w.Header().Set("ETag", `"e"`)
		w.Header().Set("Last-Modified", "Mon, 02 Jan 2006 15:00:00 GMT")
		w.Header().Set("Date", "Mon, 02 Jan 2006 15:04:05 GMT")
		_, _ = w.Write([]byte("x"))
	})
	_, version, age, err := open(t, stub).Get(t.Context(), "a")
	if err != nil || age != 4*time.Minute+5*time.Second || version != `"e"` {
		t.Errorf("Get: version %q, age %s, %v; want \"e\" and 4m5s, though both are years ago", version, age, err)
	}
}

// TestOptionsAtOnce: one error names all problems.
func TestOptionsAtOnce(t *testing.T) {
	t.Setenv("AWS_REGION", "")
	t.Setenv("AWS_CONFIG_FILE", "/nonexistent")
	_, err := s3.Open(t.Context(), s3.Options{
		Bucket: "b", Prefix: "a//b", SSE: "yes", KMSKeyID: "k", ObjectLockMode: "governance", StorageClass: "GLACIER", AccessKey: "a",
	})
	for _, want := range []string{
		`bucket name "b" is too short`, "unsafe object key", "HOUNDTRAIL_S3_SSE is", "HOUNDTRAIL_S3_KMS_KEY_ID", "GOVERNANCE or COMPLIANCE",
		"need each other", "HOUNDTRAIL_S3_STORAGE_CLASS", "access key", "HOUNDTRAIL_S3_REGION",
	} {
		buckettest.WantError(t, "Open", err, want)
	}
}

// TestBrokenBody: if a body breaks off, Get reads it again, and never returns the broken one.
func TestBrokenBody(t *testing.T) {
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
		body, _, _, err := open(t, stub).Get(t.Context(), "a")
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

func TestOptions(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*s3.Options){
		"":                                 func(*s3.Options) {},
		"is too short":                     func(o *s3.Options) { o.Bucket = "ab" },
		"bucket name":                      func(o *s3.Options) { o.Bucket = "" },
		"unsafe object key":                func(o *s3.Options) { o.Prefix = "a/../b" },
		"HOUNDTRAIL_S3_SSE is":             func(o *s3.Options) { o.SSE = "yes" },
		"HOUNDTRAIL_S3_KMS_KEY_ID":         func(o *s3.Options) { o.SSE, o.KMSKeyID = "AES256", "k" },
		"GOVERNANCE or COMPLIANCE":         func(o *s3.Options) { o.ObjectLockMode, o.ObjectLockDays = "governance", 1 },
		"need each other":                  func(o *s3.Options) { o.ObjectLockDays = 1 },
		"LOCK_DAYS (1 or more)":            func(o *s3.Options) { o.ObjectLockMode = "GOVERNANCE" },
		"HOUNDTRAIL_S3_OBJECT_LOCK_MODE":   func(o *s3.Options) { o.ObjectLockDays = -1 },
		"restore":                          func(o *s3.Options) { o.StorageClass = "DEEP_ARCHIVE" },
		"access key and a secret key need": func(o *s3.Options) { o.SecretKey = "" },
	} {
		opts := s3.Options{
			Bucket: "bucket", Region: "r", SSE: "aws:kms", KMSKeyID: "k", StorageClass: "GLACIER_IR", AccessKey: "a",
			SecretKey: "s",
		}
		change(&opts)
		_, err := s3.Open(t.Context(), opts)
		if want == "" && err != nil {
			t.Errorf("good options are refused: %v", err)
		}
		if want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("error %v; want one with %q", err, want)
		}
	}
}
