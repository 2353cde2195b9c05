package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/houndtrail/houndtrail/sink/ndjson"
	"github.com/houndtrail/houndtrail/sink/sinktest"
	"github.com/houndtrail/houndtrail/sink/sinktest/servers"
)

// archived reads the Parquet files below a directory and fails unless they hold every record of the log, N of them,
// each once:
//
//	archived 300 archive
func archived(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: archived N DIR")
	}
	w, got := worldOf(ts), map[string]int{}
	for name, body := range files(ts, args[1]) {
		if !strings.HasSuffix(name, ".parquet") {
			continue
		}
		for _, record := range sinktest.ReadParquet(w.tb, body) {
			got[strings.TrimPrefix(ndjson.EventID("", &record), "/")]++
		}
	}
	compareIDs(ts, w, got, number(ts, args[0]))
}

// remember records every file of a directory, and unchanged fails unless the directory has the same files, byte for byte. Both
// ignore the lease: it says who ran last.
//
//	remember positions
//	unchanged positions
func remember(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: remember DIR...")
	}
	w := worldOf(ts)
	for _, dir := range args {
		w.digests[dir] = digests(ts, dir)
	}
}

func unchanged(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: unchanged DIR...")
	}
	for _, dir := range args {
		before, ok := worldOf(ts).digests[dir]
		if !ok {
			ts.Fatalf("unchanged %s: remember it first", dir)
		}
		if diff := cmp.Diff(before, digests(ts, dir)); diff != "" {
			ts.Fatalf("%s has changed (-before +now):\n%s", dir, diff)
		}
	}
}

func digests(ts *testscript.TestScript, dir string) map[string]string {
	all := map[string]string{}
	for name, body := range files(ts, dir) {
		if base := filepath.Base(name); base == "lease.json" || base == "run.json" {
			continue
		}
		sum := sha256.Sum256(body)
		all[name] = hex.EncodeToString(sum[:])
	}
	return all
}

func files(ts *testscript.TestScript, dir string) map[string][]byte {
	root, all := os.DirFS(ts.MkAbs(dir)), map[string][]byte{}
	ts.Check(fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		all[name], err = fs.ReadFile(root, name)
		return err
	}))
	return all
}

// entriesIn are the entries of a journal, oldest first.
func entriesIn(ts *testscript.TestScript, dir string) []string {
	entries, err := filepath.Glob(filepath.Join(dir, strings.Repeat("[0-9]", 17), strings.Repeat("[0-9]", 20)+".json"))
	ts.Check(err)
	return entries
}

// damage spoils an entry of a journal, counted from the newest, which is 1:
//
//	damage truncate 1 positions/archive   its second half is lost
//	damage alter 2 positions/archive      one digit of a number in it is another
//	damage remove 1 positions/archive
func damage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: damage truncate|alter|remove N DIR")
	}
	entries := entriesIn(ts, ts.MkAbs(args[2]))
	n := number(ts, args[1])
	if n < 1 || n > len(entries) {
		ts.Fatalf("there are %d entries", len(entries))
	}
	path := entries[len(entries)-n]
	body, err := os.ReadFile(path)
	ts.Check(err)
	switch args[0] {
	case "truncate":
		ts.Check(os.WriteFile(path, body[:len(body)/2], 0o600))
	case "alter":
		changed := bytes.Replace(body, []byte(`"late":`), []byte(`"late":1`), 1)
		if bytes.Equal(changed, body) {
			ts.Fatalf("nothing was changed")
		}
		ts.Check(os.WriteFile(path, changed, 0o600))
	case "remove":
		ts.Check(os.Remove(path))
	default:
		ts.Fatalf("damage %s: unknown", args[0])
	}
}

// s3Command is a real S3 server; a script that uses it is skipped with -short.
//
//	s3 start              the archive and its positions are in s3://audit from now on; the bucket is not there yet
//	s3 bucket NAME        makes a bucket, whose objects are in $S3/NAME
//	s3 user               from now on houndtrail is a user with only the rights that s3 allow gives
//	s3 allow NAME GLOB... the user may read the bucket, and write objects that match
func s3Command(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: s3 start|bucket|user|allow")
	}
	w := worldOf(ts)
	const user, secret = "AKFORTHESCRIPT", "secret-of-the-user-of-the-script"
	switch args[0] {
	case "start":
		w.s3 = servers.VersityGW(w.tb)
		for name, value := range map[string]string{
			"S3":                        w.s3.DataDir,
			"HOUNDTRAIL_S3_ENDPOINT":    w.s3.Endpoint,
			"HOUNDTRAIL_S3_REGION":      w.s3.Region,
			"HOUNDTRAIL_S3_PATH_STYLE":  "true",
			"HOUNDTRAIL_ARCHIVE_URL":    "s3://audit/acme",
			"HOUNDTRAIL_CHECKPOINT_URL": "s3://audit/positions",
			"AWS_ACCESS_KEY_ID":         w.s3.AccessKey,
			"AWS_SECRET_ACCESS_KEY":     w.s3.SecretKey,
		} {
			ts.Setenv(name, value)
		}
		w.secrets = append(w.secrets, w.s3.SecretKey, secret)
	case "bucket":
		servers.CreateBucket(w.tb, w.s3, args[1], false)
	case "user":
		servers.CreateUser(w.tb, w.s3, user, secret)
		ts.Setenv("AWS_ACCESS_KEY_ID", user)
		ts.Setenv("AWS_SECRET_ACCESS_KEY", secret)
	case "allow":
		_, err := w.s3.Client.PutBucketPolicy(w.tb.Context(), &s3.PutBucketPolicyInput{
			Bucket: aws.String(args[1]), Policy: aws.String(policy(args[1], user, args[2:])),
		})
		ts.Check(err)
	default:
		ts.Fatalf("s3 %s: unknown", args[0])
	}
}

// policy lets the user list and read a bucket, and write objects that match.
func policy(bucket, user string, write []string) string {
	arn := "arn:aws:s3:::" + bucket
	statement := func(actions []string, resources ...string) map[string]any {
		return map[string]any{"Effect": "Allow", "Principal": user, "Action": actions, "Resource": resources}
	}
	allow := []map[string]any{statement([]string{"s3:ListBucket", "s3:GetObject"}, arn, arn+"/*")}
	for _, glob := range write {
		allow = append(allow, statement([]string{"s3:PutObject"}, arn+"/"+glob))
	}
	text, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": allow})
	if err != nil {
		panic(fmt.Sprintf("a policy always marshals: %v", err))
	}
	return string(text)
}

// condition is true if a helper can work on this platform: [small-disk], [file-modes]. On CI it must work on Linux: a test that CI
// skips would be a test that no machine runs.
func condition(name string) (bool, error) {
	can, ok := abilities()[name]
	switch {
	case !ok:
		return false, fmt.Errorf("unknown condition; want one of %v", slices.Sorted(maps.Keys(abilities())))
	case !can && runtime.GOOS == "linux" && os.Getenv("CI") == "true":
		return false, fmt.Errorf("CI needs %s: let the tests make namespaces and mounts, as root or without a restriction", name)
	}
	return can, nil
}
