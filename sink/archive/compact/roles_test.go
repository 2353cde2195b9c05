package compact_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/bucket"
	"github.com/houndtrail/houndtrail/checkpoint/bucket/s3"
	"github.com/houndtrail/houndtrail/sink/archive/compact"
	"github.com/houndtrail/houndtrail/sink/archive/read"
	"github.com/houndtrail/houndtrail/sink/sinktest/servers"
)

// roles are the users of the bucket in TestRoles, with their policies of deploy/aws.
var roles = map[string]string{
	"AKWRITER": "writer-policy.json", "AKCOMPACTOR": "compactor-policy.json", "AKFORGET": "forget-policy.json", "AKREADER": "reader-policy.json",
	"AKAUDITOR": "auditor-policy.json",
}

// TestRoles: each role of deploy/aws can do its work and no more, on a server that enforces the shipped policies. The server does
// not support KMS and some conditions, so it gets the statements without these.
func TestRoles(t *testing.T) {
	t.Parallel()
	server := servers.VersityGW(t)
	servers.CreateBucket(t, server, "example-bucket", true)
	statements := allowed(t, "bucket-policy.json", "")
	for user, policy := range roles {
		servers.CreateUser(t, server, user, "secret-of-"+user)
		statements = append(statements, allowed(t, policy, user)...)
	}
	body, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": statements})
	if err != nil {
		t.Fatal(err)
	}
	_, err = server.Client.PutBucketPolicy(t.Context(), &sdk.PutBucketPolicyInput{
		Bucket: aws.String("example-bucket"), Policy: aws.String(string(body)),
	})
	if err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	open := func(user string) (files, positions bucket.Bucket) {
		return openAs(t, server, user, "houndtrail", read.Rewritten), openAs(t, server, user, "houndtrail/checkpoints", checkpoint.Rewritten)
	}
	files, positions := open("AKWRITER")
	w := newWorld(t, t, files, positions, "ndjson")
	w.since = day1.AddDate(0, 0, 1)
	w.export(14, 2*time.Hour, 2)
	compactorFiles, compactorPositions := open("AKCOMPACTOR")
	if err := w.compactor(compactorFiles, compactorPositions, nil).Run(t.Context()); err != nil {
		t.Fatalf("the compactor: %v", err)
	}
	w.check()
	person, personPositions := open("AKFORGET")
	if err := w.compactor(person, personPositions, nil).Forget(t.Context(), orderBefore(w.since), agree, func(compact.Forgotten) {}); err != nil {
		t.Fatalf("the person who removes old days: %v", err)
	}
	w.forgot(w.since)
	w.check()
	keys := w.keys()
	entries, err := positions.List(t.Context(), "archive/0", "")
	if err != nil || len(keys) == 0 || len(entries) == 0 {
		t.Fatalf("%d objects and %d entries: %v", len(keys), len(entries), err)
	}
	for user, may := range map[string]struct{ read, readJournal, write, writeJournal, remove, removeRaw bool }{
		"AKWRITER":    {read: true, readJournal: true, write: true, writeJournal: true},
		"AKCOMPACTOR": {read: true, readJournal: true, write: true, writeJournal: true, remove: true},
		"AKFORGET":    {read: true, readJournal: true, write: true, writeJournal: true, remove: true, removeRaw: true},
		"AKREADER":    {read: true},
		"AKAUDITOR":   {read: true, readJournal: true},
	} {
		files, positions := open(user)
		get := func(b bucket.Bucket, key string) error { _, _, _, err := b.Get(t.Context(), key); return err }
		put := func(b bucket.Bucket, key string) error {
			_, err := b.Put(t.Context(), key+user, []byte("x"), "")
			return err
		}
		spare := read.Prefix(tenant) + "dt=2020-01-01/spare" + user
		if _, err := w.files.Put(t.Context(), spare, []byte("x"), ""); err != nil {
			t.Fatal(err)
		}
		for what, c := range map[string]struct {
			err error
			may bool
		}{
			"read a file":          {get(files, keys[0]), may.read},
			"read an entry":        {get(positions, entries[0]), may.readJournal},
			"write a file":         {put(files, read.Prefix(tenant)+"dt=2020-01-01/new"), may.write},
			"write among entries":  {put(positions, "archive/state/new"), may.writeJournal},
			"delete a file":        {files.Delete(t.Context(), spare), may.remove},
			"delete an entry":      {positions.Delete(t.Context(), entries[0]), false},
			"delete raw bytes":     {files.Delete(t.Context(), "quarantine/x"), may.removeRaw},
			"delete anything else": {files.Delete(t.Context(), "state/x"), false},
		} {
			if c.may != (c.err == nil) || c.err != nil && !errors.Is(c.err, fs.ErrPermission) {
				t.Errorf("%s: %s: %v, want %t", user, what, c.err, c.may)
			}
		}
	}
}

func openAs(t *testing.T, server servers.S3, user, prefix string, rewritten func(string) bool) bucket.Bucket {
	t.Helper()
	b, err := s3.Open(t.Context(), s3.Options{
		Options: bucket.Options{Rewritten: rewritten}, Bucket: "example-bucket", Prefix: prefix, PathStyle: true,
		Endpoint: server.Endpoint, Region: server.Region, AccessKey: user, SecretKey: "secret-of-" + user,
		ObjectLockMode: "GOVERNANCE", ObjectLockDays: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// allowed turns the statements of a shipped policy into a part of a bucket policy, for a user.
func allowed(t *testing.T, policy, user string) (statements []map[string]any) {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("..", "..", "..", "deploy", "aws", policy))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Statement []map[string]any `json:"Statement"`
	}
	if err := json.Unmarshal(body, &file); err != nil {
		t.Fatal(err)
	}
	for _, s := range file.Statement {
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		conditional := strings.Contains(string(text), "s3:if-none-match") || strings.Contains(string(text), "aws:SecureTransport")
		if conditional || strings.Contains(string(text), "kms:") {
			continue
		}
		delete(s, "Condition")
		if user != "" {
			s["Principal"] = map[string]any{"AWS": []string{user}}
		}
		statements = append(statements, s)
	}
	return statements
}
