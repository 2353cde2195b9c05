package servers

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// S3 is a running S3 server with path-style addresses.
type S3 struct {
	Endpoint  string // http://127.0.0.1:port
	Region    string
	AccessKey string // of a user with all permissions
	SecretKey string
	DataDir   string // the objects are plain files: DataDir/BUCKET/KEY
	// Client signs its requests as that user.
	Client *s3.Client

	admin string // the program of the admin API
}

// VersityGW starts versitygw, which answers conditional writes, checksums and Object Lock as AWS does. It accepts the headers
// for SSE and storage class, but does nothing with them. flags are global options of its command line.
func VersityGW(tb testing.TB, flags ...string) S3 {
	tb.Helper()
	const user, secret, region = "AKHOUNDTRAILTEST", "test-secret-key-of-no-user", "us-east-1"
	dir := tb.TempDir() // versitygw needs an absolute path
	data, versions, iam := filepath.Join(dir, "data"), filepath.Join(dir, "versions"), filepath.Join(dir, "iam")
	for _, d := range []string{data, versions, iam} {
		if err := os.Mkdir(d, 0o755); err != nil {
			tb.Fatal(err)
		}
	}
	addr := start(tb, versitygw, "/healthz", func(addr string) []string {
		args := append([]string{
			"--quiet", "--port", addr, "--health", "/healthz", "--region", region, "--keep-alive",
			"--access", user, "--secret", secret, "--iam-dir", iam,
		}, flags...)
		return append(args, "posix", "--versioning-dir", versions, data)
	})
	s := S3{Endpoint: "http://" + addr, Region: region, AccessKey: user, SecretKey: secret, DataDir: data}
	s.admin = versitygw.path(tb)
	s.Client = s.ClientAs(user, secret)
	return s
}

// ClientAs returns a client that signs its requests as a user of the server.
func (s S3) ClientAs(accessKey, secretKey string) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: aws.String(s.Endpoint),
		Region:       s.Region,
		UsePathStyle: true,
		Credentials:  credentials.NewStaticCredentialsProvider(accessKey, secretKey, ""),
	})
}

// CreateBucket makes a bucket. If lock is set, the bucket has versions and Object Lock, but no default retention.
func CreateBucket(tb testing.TB, s S3, name string, lock bool) {
	tb.Helper()
	_, err := s.Client.CreateBucket(tb.Context(), &s3.CreateBucketInput{
		Bucket: aws.String(name), ObjectLockEnabledForBucket: aws.Bool(lock),
	})
	if err != nil {
		tb.Fatalf("create bucket %s: %v", name, err)
	}
}

// CreateUser makes a user of a [VersityGW] server. The user may do nothing until a bucket policy names the access key as principal.
func CreateUser(tb testing.TB, s S3, accessKey, secretKey string) {
	tb.Helper()
	cmd := exec.CommandContext(tb.Context(), s.admin,
		"admin", "--access", s.AccessKey, "--secret", s.SecretKey, "--region", s.Region, "--endpoint-url", s.Endpoint,
		"create-user", "--access", accessKey, "--secret", secretKey, "--role", "user")
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("create user %s: %v\n%s", accessKey, err, out)
	}
}

// Logs is a running VictoriaLogs.
type Logs struct {
	URL string // http://127.0.0.1:port
}

// VictoriaLogs starts VictoriaLogs. It takes NDJSON at /insert/jsonline, and Elasticsearch's bulk format at
// /insert/elasticsearch/_bulk. flags are additional flags of its command line.
func VictoriaLogs(tb testing.TB, flags ...string) Logs {
	tb.Helper()
	dir := tb.TempDir()
	addr := start(tb, victoriaLogs, "/health", func(addr string) []string {
		args := []string{"-httpListenAddr=" + addr, "-storageDataPath=" + dir, "-retentionPeriod=100y"}
		return append(args, flags...)
	})
	return Logs{URL: "http://" + addr}
}

// Proxies is a running toxiproxy: a test can slow down, cut and reset the connections through it.
type Proxies struct {
	URL string // of its HTTP API, http://127.0.0.1:port
}

// Toxiproxy starts toxiproxy. Its API makes proxies (POST /proxies) and puts toxics on them.
func Toxiproxy(tb testing.TB) Proxies {
	tb.Helper()
	addr := start(tb, toxiproxy, "/version", func(addr string) []string {
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			tb.Fatal(err)
		}
		return []string{"-host", host, "-port", port}
	})
	return Proxies{URL: "http://" + addr}
}

// Pushgateway starts Prometheus' Pushgateway, and returns its address, http://127.0.0.1:port. It keeps what jobs push in memory.
func Pushgateway(tb testing.TB) string {
	tb.Helper()
	return "http://" + start(tb, pushgateway, "/-/ready", func(addr string) []string { return []string{"--web.listen-address=" + addr} })
}
