package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/doctor"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/history"
	"github.com/houndtrail/houndtrail/sink/sinktest/servers"
)

// The secrets of every set-up. No output of doctor may contain one of them.
const (
	userPassword  = "the-password-of-the-user"
	proxyPassword = "the-password-of-the-proxy"
	urlToken      = "t0ken-1n-the-path-of-the-webhook"
	headerSecret  = "the-secret-of-a-header"
	s3Secret      = "the-secret-of-the-writer-of-the-test"
)

// A clinic is a set-up without a fault: BloodHound with a few records, a directory, and a SIEM. Each case breaks one part.
type clinic struct {
	*testing.T
	env     map[string]string
	secrets []string
	before  []string // the command under which houndtrail runs, with fewer rights

	source *bloodhoundtest.Server
	siem   *siem
	s3     servers.S3
}

func newClinic(t *testing.T) *clinic {
	t.Helper()
	c := &clinic{T: t, siem: &siem{}, secrets: []string{tokenKey, userPassword, proxyPassword, urlToken, headerSecret, s3Secret, "d2ViaG9vay1zZWNyZXQ"}}
	c.bloodhound(bloodhoundtest.Options{})
	receiver := httptest.NewServer(c.siem)
	t.Cleanup(receiver.Close)
	source := httptest.NewServer(c.source)
	t.Cleanup(source.Close)
	dir := t.TempDir()
	c.env = map[string]string{
		"HOME": dir, "PATH": os.Getenv("PATH"), "TMPDIR": os.TempDir(),
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
		"HOUNDTRAIL_TENANT":              "acme",
		"HOUNDTRAIL_BLOODHOUND_URL":      source.URL,
		"HOUNDTRAIL_BLOODHOUND_TOKEN_ID": tokenID, "HOUNDTRAIL_BLOODHOUND_TOKEN_KEY": tokenKey,
		"HOUNDTRAIL_BLOODHOUND_RATE":       "1000",
		"HOUNDTRAIL_ARCHIVE_URL":           "file://" + dir + "/archive",
		"HOUNDTRAIL_CHECKPOINT_URL":        "file://" + dir + "/positions",
		"HOUNDTRAIL_WEBHOOK_URL":           receiver.URL + "/ingest/" + urlToken,
		"HOUNDTRAIL_WEBHOOK_AUTHORIZATION": webhookAuthorization,
		"HOUNDTRAIL_WEBHOOK_HEADERS":       "X-Secret: " + headerSecret,
		"GORACE":                           "atexit_sleep_ms=10",
	}
	return c
}

// bloodhound makes a double with 60 records, and replaces the previous one.
func (c *clinic) bloodhound(o bloodhoundtest.Options) {
	now := time.Now().UTC()
	o.Seed, o.Tokens = 7, map[string]string{tokenID: tokenKey}
	o.Users = []bloodhoundtest.User{{Name: "auditor", Password: userPassword}}
	o.Rows = history.Rows(history.Options{Seed: 7, N: 60, Start: now.AddDate(0, 0, -42), End: now.Add(-10 * time.Minute)})
	c.source = bloodhoundtest.New(o)
}

// serve starts a server of the double at HOUNDTRAIL_BLOODHOUND_URL. If there is a certificate, it speaks TLS.
func (c *clinic) serve(cert *tls.Certificate) {
	c.Helper()
	c.env["HOUNDTRAIL_BLOODHOUND_URL"] = c.listen(c.source, cert)
}

// listen serves until the test ends, and returns the address.
func (c *clinic) listen(h http.Handler, cert *tls.Certificate) string {
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = nil
	c.Cleanup(server.Close)
	if cert == nil {
		server.Start()
	} else {
		server.TLS = &tls.Config{Certificates: []tls.Certificate{*cert}, MinVersion: tls.VersionTLS12}
		server.StartTLS()
	}
	return server.URL
}

// set changes variables; "" unsets one.
func (c *clinic) set(pairs ...string) {
	for pair := range slices.Chunk(pairs, 2) {
		if pair[1] == "" {
			delete(c.env, pair[0])
			continue
		}
		c.env[pair[0]] = pair[1]
	}
}

// houndtrail runs a command in the set-up.
func (c *clinic) houndtrail(args ...string) (stdout, stderr string, code int) {
	c.Helper()
	words := append(append(slices.Clone(c.before), "houndtrail"), args...)
	cmd := exec.CommandContext(c.Context(), words[0], words[1:]...)
	cmd.Env = nil
	for _, name := range slices.Sorted(maps.Keys(c.env)) {
		cmd.Env = append(cmd.Env, name+"="+c.env[name])
	}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	} else if err != nil {
		c.Fatalf("%v: %v", words, err)
	}
	for _, secret := range c.secrets {
		if strings.Contains(out.String()+errs.String(), secret) {
			c.Errorf("houndtrail %v prints the secret %q:\n%s%s", args, secret, out.String(), errs.String())
		}
	}
	return out.String(), errs.String(), code
}

// doctor runs doctor in both forms, and returns the rows.
func (c *clinic) doctor(flags ...string) (rows []doctor.Row, code int) {
	c.Helper()
	stdout, stderr, code := c.houndtrail(append([]string{"doctor", "-o", "json"}, flags...)...)
	text, _, _ := c.houndtrail(append([]string{"doctor"}, flags...)...)
	for line := range strings.Lines(text) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 80 {
			c.Errorf("a line of the report has %d characters:\n%s", n, line)
		}
	}
	for line := range strings.Lines(stdout) {
		var row doctor.Row
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			c.Fatalf("not a row: %s: %v", line, err)
		}
		rows = append(rows, row)
	}
	if len(rows) == 0 {
		c.Fatalf("no rows; standard error says:\n%s", stderr)
	}
	c.Cleanup(func() {
		if c.Failed() {
			c.Log(text + stdout + stderr)
		}
	})
	return rows, code
}

// once runs one cycle, which must succeed.
func (c *clinic) once() {
	c.Helper()
	if _, stderr, code := c.houndtrail("run", "--once"); code != 0 {
		c.Fatalf("run --once exits with %d:\n%s", code, stderr)
	}
}

// dir returns the path of a place.
func (c *clinic) dir(variable string) string {
	return strings.TrimPrefix(c.env[variable], "file://")
}

// write makes a file with a content, and returns its path.
func (c *clinic) write(name, content string, mode os.FileMode) string {
	path := filepath.Join(c.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		c.Fatal(err)
	}
	return path
}

// bucket moves the archive and the journals into a bucket of a real server. The writer may read, list and create in it.
func (c *clinic) bucket(lock bool) {
	c.Helper()
	const user = "AKWRITEROFTHETEST"
	c.s3 = servers.VersityGW(c.T)
	servers.CreateBucket(c.T, c.s3, "audit", lock)
	servers.CreateUser(c.T, c.s3, user, s3Secret)
	c.allow(
		"s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:GetBucketVersioning", "s3:GetBucketObjectLockConfiguration",
		"s3:PutObjectRetention",
	)
	c.secrets = append(c.secrets, c.s3.SecretKey)
	c.set("HOUNDTRAIL_S3_ENDPOINT", c.s3.Endpoint, "HOUNDTRAIL_S3_REGION", c.s3.Region, "HOUNDTRAIL_S3_PATH_STYLE", "true",
		"HOUNDTRAIL_ARCHIVE_URL", "s3://audit/acme", "HOUNDTRAIL_CHECKPOINT_URL", "s3://audit/acme/checkpoints",
		"AWS_ACCESS_KEY_ID", user, "AWS_SECRET_ACCESS_KEY", s3Secret)
}

// allow gives the writer only these rights.
func (c *clinic) allow(actions ...string) {
	c.Helper()
	text, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": []map[string]any{{
		"Effect": "Allow", "Principal": "AKWRITEROFTHETEST", "Action": actions, "Resource": []string{"arn:aws:s3:::audit", "arn:aws:s3:::audit/*"},
	}}})
	if err == nil {
		_, err = c.s3.Client.PutBucketPolicy(c.Context(), &s3.PutBucketPolicyInput{Bucket: aws.String("audit"), Policy: aws.String(string(text))})
	}
	if err != nil {
		c.Fatal(err)
	}
}

// retain gives the bucket a default retention.
func (c *clinic) retain() {
	c.Helper()
	_, err := c.s3.Client.PutObjectLockConfiguration(c.Context(), &s3.PutObjectLockConfigurationInput{
		Bucket: aws.String("audit"),
		ObjectLockConfiguration: &types.ObjectLockConfiguration{
			ObjectLockEnabled: types.ObjectLockEnabledEnabled,
			Rule:              &types.ObjectLockRule{DefaultRetention: &types.DefaultRetention{Mode: types.ObjectLockRetentionModeGovernance, Days: aws.Int32(1)}},
		},
	})
	if err != nil {
		c.Fatal(err)
	}
}

// unconditional puts a gateway before the store. Like some real gateways, it drops the conditions of writes. It signs each request
// anew, because the signature covers the conditions.
func (c *clinic) unconditional() {
	to, err := url.Parse(c.s3.Endpoint)
	if err != nil {
		c.Fatal(err)
	}
	credentials := aws.Credentials{AccessKeyID: c.env["AWS_ACCESS_KEY_ID"], SecretAccessKey: s3Secret}
	gateway := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Header.Del("If-None-Match")
		r.Out.Header.Del("If-Match")
		r.Out.Header.Del("Authorization")
		err := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }).SignHTTP(context.Background(), credentials, r.Out,
			r.Out.Header.Get("X-Amz-Content-Sha256"), "s3", c.s3.Region, time.Now())
		if err != nil {
			c.Error(err)
		}
	}}
	c.set("HOUNDTRAIL_S3_ENDPOINT", c.listen(gateway, nil))
}

// An authority signs certificates for servers of a test.
type authority struct {
	t    *testing.T
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t}
	a.key, a.cert, _ = a.make(&x509.Certificate{
		Subject: pkix.Name{CommonName: "Authority of the test"}, NotAfter: time.Now().Add(time.Hour * 24 * 365), IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	return a
}

func (a *authority) make(c *x509.Certificate) (*ecdsa.PrivateKey, *x509.Certificate, []byte) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	c.SerialNumber, c.NotBefore = big.NewInt(time.Now().UnixNano()), time.Now().Add(-48*time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return key, cert, der
}

// leaf makes a certificate for this machine, or for another name, until a time.
func (a *authority) leaf(name string, until time.Time) *tls.Certificate {
	c := &x509.Certificate{Subject: pkix.Name{CommonName: name}, NotAfter: until}
	if ip := net.ParseIP(name); ip != nil {
		c.IPAddresses = []net.IP{ip}
	} else {
		c.DNSNames = []string{name}
	}
	key, _, der := a.make(c)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// file writes the authority's own certificate, as a PEM file.
func (a *authority) file(c *clinic) string {
	return c.write("ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})), 0o600)
}

// answering makes a server with one answer.
func answering(status int, contentType, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}
