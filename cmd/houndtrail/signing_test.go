package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"

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
