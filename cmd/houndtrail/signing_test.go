package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/checkpoint/seal"
)

// signingKey writes private keys into a file that only its owner can read:
//
//	signingkey 1,2 FILE
func signingKey(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: signingkey N,... FILE")
	}
	var file []byte
	for n := range strings.SplitSeq(args[0], ",") {
		key, err := seal.PrivatePEM(checkpointtest.Key(byte(number(ts, n))), "key "+n)
		ts.Check(err)
		worldOf(ts).secrets = append(worldOf(ts).secrets, strings.Split(string(key), "\n")[2])
		file = append(file, key...)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), file, 0o600))
}

// walk writes the commands of a document, from the block that has a line with that text, into a script of the shell:
//
//	walk docs/verify.md 'houndtrail keys' FILE
func walk(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: walk DOCUMENT TEXT FILE")
	}
	page, err := os.ReadFile(filepath.Join(repository, args[0]))
	ts.Check(err)
	for _, block := range regexp.MustCompile("(?ms)^```sh\n(.*?)^```$").FindAllStringSubmatch(string(page), -1) {
		if strings.Contains(block[1], args[1]) {
			ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte("set -e\n"+block[1]), 0o600))
			return
		}
	}
	ts.Fatalf("%s has no commands with %q", args[0], args[1])
}

// forge changes the newest entry of a journal, and gives it the chain, the seal and the note of a sound one: all that the right to
// write to the store allows, without a key.
//
//	forge positions/archive
func forge(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: forge DIR")
	}
	dir := ts.MkAbs(args[0])
	entries := entriesIn(ts, dir)
	previous, err := os.ReadFile(entries[len(entries)-2])
	ts.Check(err)
	path := entries[len(entries)-1]
	body, err := os.ReadFile(path)
	ts.Check(err)
	body = checkpointtest.Reseal(worldOf(ts).tb, previous, bytes.Replace(body, []byte(`"late":`), []byte(`"late":1`), 1))
	ts.Check(os.WriteFile(path, body, 0o600))
	ts.Check(os.WriteFile(filepath.Join(dir, "state", "latest"), []byte("{}"), 0o600))
}

// rollback drops the newest entries of a journal. It also sets the journal's note back to the head in the seal of the oldest
// dropped entry. This is the perfect rollback: it needs no key, and no object of the store contradicts it.
//
//	rollback 2 positions/archive
func rollback(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: rollback N DIR")
	}
	dir, n := ts.MkAbs(args[1]), number(ts, args[0])
	entries := entriesIn(ts, dir)
	if n < 1 || n >= len(entries) {
		ts.Fatalf("there are %d entries", len(entries))
	}
	kept, dropped := entries[:len(entries)-n], entries[len(entries)-n:]
	newest, err := os.ReadFile(kept[len(kept)-1])
	ts.Check(err)
	after, err := os.ReadFile(dropped[0])
	ts.Check(err)
	var said struct {
		Serial uint64    `json:"serial"`
		Seal   seal.Seal `json:"seal"`
	}
	ts.Check(json.Unmarshal(after, &said))
	note, err := json.Marshal(map[string]any{
		"serial": said.Serial - 1, "sha256": fmt.Sprintf("%x", sha256.Sum256(newest)), "head": said.Seal.Head,
	})
	ts.Check(err)
	for _, path := range dropped {
		ts.Check(os.Remove(path))
	}
	overwrite(ts, filepath.Join(dir, "state", "latest"), note)
}

// overwrite gives an object another body: in the directory of the S3 server by a request, since the server keeps a checksum of it.
func overwrite(ts *testscript.TestScript, path string, body []byte) {
	w := worldOf(ts)
	name, remote := strings.CutPrefix(path, w.s3.DataDir+string(filepath.Separator))
	if w.s3.Client == nil || !remote {
		ts.Check(os.WriteFile(path, body, 0o600))
		return
	}
	bucket, key, _ := strings.Cut(filepath.ToSlash(name), "/")
	_, err := w.s3.Client.PutObject(w.tb.Context(), &s3.PutObjectInput{
		Bucket: aws.String(bucket), Key: aws.String(key), Body: bytes.NewReader(body),
	})
	ts.Check(err)
}
