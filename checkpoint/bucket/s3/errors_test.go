package s3_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/houndtrail/houndtrail/checkpoint/bucket/buckettest"
	"github.com/houndtrail/houndtrail/checkpoint/bucket/s3"
	"github.com/houndtrail/houndtrail/exporter/transport"
	"github.com/houndtrail/houndtrail/sink/sinktest/servers"
)

// TestErrors: each mistake of an installation gets an error that names the remedy, from all calls, and shows no secret.
func TestErrors(t *testing.T) {
	t.Parallel()
	server := servers.VersityGW(t)
	servers.CreateBucket(t, server, "plain", false)
	servers.CreateUser(t, server, "AKWRITER", "writer-secret")
	_, err := server.Client.PutBucketPolicy(t.Context(), &sdk.PutBucketPolicyInput{
		Bucket: aws.String("plain"),
		Policy: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["AKWRITER"]},` +
			`"Action":["s3:PutObject"],"Resource":["arn:aws:s3:::plain/mine/*"]}]}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	plain := options(server, "plain")
	writer := plain
	writer.AccessKey, writer.SecretKey, writer.Prefix = "AKWRITER", "writer-secret", "theirs"

	for name, test := range map[string]struct {
		opts           s3.Options
		get, put, list string // a part of each error; "" if the call works
	}{
		"missing bucket": {
			options(server, "nothing-here"), "bucket nothing-here does not exist: create it",
			"HOUNDTRAIL_ARCHIVE_URL", "HOUNDTRAIL_CHECKPOINT_URL",
		},
		"wrong secret": {
			with(plain, func(o *s3.Options) { o.SecretKey = "wrong-secret" }),
			"credentials are wrong", "AWS_SECRET_ACCESS_KEY", "check the role",
		},
		"unknown user": {
			with(plain, func(o *s3.Options) { o.AccessKey = "AKNOBODY" }),
			"credentials are wrong", "credentials are wrong", "credentials are wrong",
		},
		"forbidden prefix": {
			writer, "allow s3:GetObject on arn:aws:s3:::plain/theirs/a, and s3:ListBucket on arn:aws:s3:::plain",
			"allow s3:PutObject on arn:aws:s3:::plain/theirs/a", "allow s3:ListBucket on arn:aws:s3:::plain",
		},
		"allowed prefix": {
			with(writer, func(o *s3.Options) { o.Prefix = "mine" }),
			"allow s3:GetObject", "", "allow s3:ListBucket",
		},
		"forbidden prefix, with lock and key": {
			with(writer, func(o *s3.Options) {
				o.SSE, o.ObjectLockMode, o.ObjectLockDays = "aws:kms", "GOVERNANCE", 1
			}),
			"s3:GetObject", "allow s3:PutObject and s3:PutObjectRetention on arn:aws:s3:::plain/theirs/a, and " +
				"kms:GenerateDataKey and kms:Decrypt", "s3:ListBucket",
		},
		"lock without a bucket for it": {
			with(plain, func(o *s3.Options) {
				o.Prefix, o.ObjectLockMode, o.ObjectLockDays = "lock", "GOVERNANCE", 1
			}),
			"file does not exist", "does the bucket have Object Lock?", "",
		},
		"no server listens": {
			with(plain, func(o *s3.Options) { o.Endpoint = "http://127.0.0.1:1" }),
			"HOUNDTRAIL_S3_ENDPOINT", "cannot be reached", "HTTPS_PROXY",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := open(t, test.opts)
			_, _, _, getErr := b.Get(t.Context(), "a")
			_, putErr := b.Put(t.Context(), "a", []byte("x"), "")
			_, listErr := b.List(t.Context(), "", "")
			for _, call := range []struct {
				name string
				err  error
				want string
			}{{"Get", getErr, test.get}, {"Put", putErr, test.put}, {"List", listErr, test.list}} {
				buckettest.WantError(t, call.name, call.err, call.want)
				if call.err == nil {
					continue
				}
				if !strings.Contains(call.err.Error(), "s3://"+test.opts.Bucket) {
					t.Errorf("%s: %v\ndoes not say where", call.name, call.err)
				}
				for _, secret := range []string{test.opts.SecretKey, test.opts.AccessKey} {
					if strings.Contains(call.err.Error(), secret) {
						t.Errorf("%s: %v\nshows %q", call.name, call.err, secret)
					}
				}
				t.Logf("%s: %v", call.name, call.err)
			}
		})
	}
}

// TestStrangeAnswers uses stubs instead of a store, for answers that versitygw does not give.
func TestStrangeAnswers(t *testing.T) {
	t.Parallel()
	for want, handler := range map[string]func(http.ResponseWriter){
		"another region, eu-central-1: set HOUNDTRAIL_S3_REGION": func(w http.ResponseWriter) {
			w.Header().Set("X-Amz-Bucket-Region", "eu-central-1")
			answer(w, http.StatusMovedPermanently, "PermanentRedirect")
		},
		"set the clock":         func(w http.ResponseWriter) { answer(w, http.StatusForbidden, "RequestTimeTooSkewed") },
		transport.ProxyAdvice:   func(w http.ResponseWriter) { w.WriteHeader(http.StatusProxyAuthRequired) },
		"must be restored":      func(w http.ResponseWriter) { answer(w, http.StatusForbidden, "InvalidObjectState") },
		"HOUNDTRAIL_S3_KMS_KEY": func(w http.ResponseWriter) { answer(w, http.StatusBadRequest, "KMS.DisabledException") },
		"SlowDown: as the test wants it": func(w http.ResponseWriter) {
			answer(w, http.StatusServiceUnavailable, "SlowDown")
		},
		"(request id R1)": func(w http.ResponseWriter) {
			w.Header().Set("X-Amz-Request-Id", "R1")
			answer(w, http.StatusForbidden, "AccessDenied")
		},
		"lacks Date": func(w http.ResponseWriter) {
			w.Header()["Date"] = nil
			w.Header().Set("Last-Modified", "Mon, 02 Jan 2006 15:00:00 GMT")
			w.Header().Set("ETag", `"e"`)
		},
		// A web server that is no S3 must not look like a store without objects.
		"there is no S3 at this address": func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte("<html>not found</html>"))
		},
		"HOUNDTRAIL_S3_ENDPOINT and": func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotFound) },
	} {
		_, _, _, err := open(t, newStub(t, handler)).Get(t.Context(), "a")
		buckettest.WantError(t, "Get", err, want)
		if errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Get: %v\ncounts as a missing object", err)
		}
	}
}

func TestUnknownAuthority(t *testing.T) {
	t.Parallel()
	stub := httptest.NewUnstartedServer(http.NotFoundHandler())
	stub.Config.ErrorLog = log.New(io.Discard, "", 0) // the test wants the handshakes to fail
	stub.StartTLS()
	t.Cleanup(stub.Close)
	opts := stubOptions(stub.URL)
	_, err := open(t, opts).List(t.Context(), "", "")
	buckettest.WantError(t, "List", err, "AWS_CA_BUNDLE")
	opts.Endpoint = strings.Replace(opts.Endpoint, "127.0.0.1", "sdk.invalid", 1)
	opts.PathStyle = false
	_, err = open(t, opts).List(t.Context(), "", "")
	buckettest.WantError(t, "List", err, "HOUNDTRAIL_S3_PATH_STYLE=true")
}

// TestNoCredentials sets environment variables, so it does not run in parallel.
func TestNoCredentials(t *testing.T) {
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_REGION"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_CONFIG_FILE", "/nonexistent")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
	_, err := open(t, s3.Options{Bucket: "bucket", Region: "eu-west-1"}).List(t.Context(), "", "")
	buckettest.WantError(t, "List", err, "no credentials were found")
	_, err = s3.Open(t.Context(), s3.Options{Bucket: "bucket"})
	buckettest.WantError(t, "Open", err, "set HOUNDTRAIL_S3_REGION or AWS_REGION")
}

// TestCancel: if a store does not answer, its caller waits no longer than its context.
func TestCancel(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	opts := newStub(t, func(http.ResponseWriter) { cancel(); <-ctx.Done(); panic(http.ErrAbortHandler) })
	_, err := open(t, opts).Put(ctx, "a", []byte("x"), "")
	if !errors.Is(err, context.Canceled) || err.Error() != "create s3://bucket/a: context canceled" {
		t.Errorf("Put: %v; want context.Canceled and nothing about the network", err)
	}
}

func with(opts s3.Options, change func(*s3.Options)) s3.Options {
	change(&opts)
	return opts
}

// newStub starts a server that gives one answer to every request.
func newStub(t *testing.T, handler func(http.ResponseWriter)) s3.Options {
	t.Helper()
	stub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { handler(w) }))
	t.Cleanup(stub.Close)
	return stubOptions(stub.URL)
}

func stubOptions(url string) s3.Options {
	return s3.Options{
		Bucket: "bucket", Endpoint: url, Region: "us-east-1", PathStyle: true, AccessKey: "AKSTUB", SecretKey: "stub-secret",
		MaxAttempts: 1,
	}
}
