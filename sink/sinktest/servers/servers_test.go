package servers_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/houndtrail/houndtrail/sink/sinktest/servers"
)

func TestVersityGW(t *testing.T) {
	t.Parallel()
	s := servers.VersityGW(t)
	servers.CreateBucket(t, s, "plain", false)
	servers.CreateBucket(t, s, "locked", true)
	for _, bucket := range []string{"plain", "locked"} {
		_, err := s.Client.PutObject(t.Context(), &s3.PutObjectInput{
			Bucket: aws.String(bucket), Key: aws.String("a/b"), Body: strings.NewReader("body"),
		})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join(s.DataDir, bucket, "a", "b")); err != nil || string(got) != "body" {
			t.Errorf("the file in DataDir has %q, %v", got, err)
		}
	}
	lock, err := s.Client.GetObjectLockConfiguration(t.Context(),
		&s3.GetObjectLockConfigurationInput{Bucket: aws.String("locked")})
	if err != nil || lock.ObjectLockConfiguration.ObjectLockEnabled != "Enabled" {
		t.Errorf("Object Lock of the bucket: %v, %v", lock, err)
	}
}

func TestCreateUser(t *testing.T) {
	t.Parallel()
	s := servers.VersityGW(t)
	servers.CreateBucket(t, s, "mine", false)
	servers.CreateUser(t, s, "AKREADER", "reader-secret")
	list := func() error {
		_, err := s.ClientAs("AKREADER", "reader-secret").
			ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("mine")})
		return err
	}
	if err := list(); err == nil || !strings.Contains(err.Error(), "AccessDenied") {
		t.Errorf("a new user may list: %v", err)
	}
	_, err := s.Client.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{
		Bucket: aws.String("mine"),
		Policy: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["AKREADER"]},` +
			`"Action":["s3:ListBucket"],"Resource":["arn:aws:s3:::mine"]}]}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := list(); err != nil {
		t.Errorf("the policy has no effect: %v", err)
	}
}

func TestVictoriaLogs(t *testing.T) {
	t.Parallel()
	logs := servers.VictoriaLogs(t)
	line := fmt.Sprintf(`{"time":%q,"action":"LoginAttempt","msg":"hello"}`+"\n", time.Now().UTC().Format(time.RFC3339))
	post(t, logs.URL+"/insert/jsonline?_time_field=time&_msg_field=msg&_stream_fields=action", line)
	post(t, logs.URL+"/internal/force_flush", "")
	if got := post(t, logs.URL+"/select/logsql/query?query=hello", ""); !strings.Contains(got, "LoginAttempt") {
		t.Errorf("the line cannot be found again: %q", got)
	}
}

func TestToxiproxy(t *testing.T) {
	t.Parallel()
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", 1000))
	}))
	t.Cleanup(upstream.Close)
	proxies := servers.Toxiproxy(t)
	answer := post(t, proxies.URL+"/proxies", fmt.Sprintf(
		`{"name":"p","listen":"127.0.0.1:0","upstream":%q,"enabled":true}`, upstream.Listener.Addr()))
	var proxy struct {
		Listen string `json:"listen"`
	}
	if err := json.Unmarshal([]byte(answer), &proxy); err != nil {
		t.Fatalf("%s: %v", answer, err)
	}
	if got := post(t, "http://"+proxy.Listen, ""); len(got) != 1000 {
		t.Errorf("%d bytes came through, want 1000", len(got))
	}
	post(t, proxies.URL+"/proxies/p/toxics", `{"name":"t","type":"limit_data","attributes":{"bytes":500}}`)
	fresh := &http.Client{Transport: &http.Transport{}}
	resp, err := fresh.Get("http://" + proxy.Listen)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got, err := io.ReadAll(resp.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the toxic let %d bytes through and said %v", len(got), err)
	}
}

func post(t *testing.T, url, body string) string {
	t.Helper()
	resp, err := http.Post(url, "application/x-ndjson", bytes.NewBufferString(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode/100 != 2 {
		t.Fatalf("POST %s: %s, %v: %s", url, resp.Status, err, got)
	}
	return string(got)
}
